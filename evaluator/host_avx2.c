#define HOST_NAME "avx2"
#define HOST_TABLE host_avx2
#include "evaluator/host_kernels.h"
