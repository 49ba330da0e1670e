// All kernels for the host, behind C entries:
//
//   g++ -std=c++17 -O2 -ffp-contract=off -fPIC -shared kernels.cpp -o libkernels.so
#include "cuda_host.h"

#include <utility>

thread_local Index3 gridDim, blockDim, blockIdx, threadIdx;

#include "../candidates.cu"
#include "../crop.cu"
#include "../letterbox.cu"
#include "../masks.cu"
#include "../proof.cu"

namespace {

template <typename... P, std::size_t... I>
void call(void (*kernel)(P...), void **args, std::index_sequence<I...>) {
    kernel(*static_cast<P *>(args[I])...);
}

template <typename... P>
void launch(void (*kernel)(P...), void **args) {
    for (unsigned bz = 0; bz < gridDim.z; bz++)
        for (unsigned by = 0; by < gridDim.y; by++)
            for (unsigned bx = 0; bx < gridDim.x; bx++)
                for (unsigned tz = 0; tz < blockDim.z; tz++)
                    for (unsigned ty = 0; ty < blockDim.y; ty++)
                        for (unsigned tx = 0; tx < blockDim.x; tx++) {
                            blockIdx = {bx, by, bz};
                            threadIdx = {tx, ty, tz};
                            call(kernel, args, std::index_sequence_for<P...>());
                        }
}

template <typename... P>
int parameters(void (*)(P...), std::size_t *sizes, int room) {
    std::size_t all[] = {sizeof(P)...};
    int count = sizeof...(P);
    for (int i = 0; i < count && i < room; i++) sizes[i] = all[i];
    return count;
}

}  // namespace

#define KERNELS(KERNEL)       \
    KERNEL(candidates_scan)   \
    KERNEL(candidates_gather) \
    KERNEL(crop_f32)          \
    KERNEL(crop_f16)          \
    KERNEL(letterbox_f32)     \
    KERNEL(letterbox_f16)     \
    KERNEL(masks_sum)         \
    KERNEL(masks_stretch)     \
    KERNEL(proof)

// Runs all threads of a launch one after the other on the calling thread. `args` points to the parameters, as for
// cuLaunchKernel. 0, or 1 where there is no such kernel.
extern "C" int watchkeeper_host_kernel(const char *name, const unsigned grid[3], const unsigned block[3], void **args) {
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
#define LAUNCH(kernel) \
    if (std::strcmp(name, #kernel) == 0) return launch(kernel, args), 0;
    KERNELS(LAUNCH)
    return 1;
}

// Number of a kernel's parameters, -1 where there is no such kernel; the sizes of the first `room` go to `sizes`. For
// those who put a launch off, and have to copy its parameters.
extern "C" int watchkeeper_host_kernel_parameters(const char *name, std::size_t *sizes, int room) {
#define PARAMETERS(kernel) \
    if (std::strcmp(name, #kernel) == 0) return parameters(kernel, sizes, room);
    KERNELS(PARAMETERS)
    return -1;
}
