#pragma once

/// The commit that this program was built from, or an empty string where the build did not know it.
const char *_Nonnull ck_commit(void);
