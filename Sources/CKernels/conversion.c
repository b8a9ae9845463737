#include "CKernels.h"
#include "clones.h"
