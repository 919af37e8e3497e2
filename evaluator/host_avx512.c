#define HOST_NAME "avx512"
#define HOST_TABLE host_avx512
#include "evaluator/host_kernels.h"
