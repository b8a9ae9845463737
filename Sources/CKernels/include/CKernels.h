#pragma once

#include "bf16_gemm.h"
#include "optimizer.h"
#include "transformer.h"

// Loops that need per-CPU clones, which only C has: row kernels, products, optimizer steps. Pure
// functions of pointers and sizes: no allocation, no globals, no I/O.
