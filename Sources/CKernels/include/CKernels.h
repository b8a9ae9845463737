#pragma once

#include <stddef.h>
#include <stdint.h>

// Loops that need per-CPU clones, which only C has: element conversion, row kernels, optimizer
// steps. Pure functions of pointers and sizes: no allocation, no globals, no I/O.
