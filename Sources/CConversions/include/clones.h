#pragma once

// One function, compiled for several processors; the loader picks.
// Resolvers run before a sanitizer's runtime is up, so ThreadSanitizer builds keep one version.
#if defined(__x86_64__) && defined(__ELF__) && !__has_feature(thread_sanitizer)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

// First line of a function whose sums may be taken in any order.
#define RELAXED _Pragma("clang fp reassociate(on) contract(fast)")
