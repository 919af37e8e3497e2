#define HOST_NAME "portable"
#define HOST_TABLE host_portable
#include "evaluator/host_kernels.h"
