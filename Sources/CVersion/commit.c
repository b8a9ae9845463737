#include "CVersion.h"

// The manifest passes CKPT_COMMIT on where the environment has it: see Scripts/commit.sh. A source archive
// has no repository, but git puts the commit here as it makes one: see .gitattributes.
const char *ck_commit(void) {
#ifdef CKPT_COMMIT
  return CKPT_COMMIT;
#else
  static const char archived[] = "$Format:%H$";
  return archived[0] == '$' ? "" : archived;
#endif
}
