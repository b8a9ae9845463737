#pragma once
#include <zlib.h>

/// `inflateInit2` is a macro, which Swift cannot call; the window is that of raw deflate.
static inline int ck_inflate_init(z_stream *stream) { return inflateInit2(stream, -MAX_WBITS); }
