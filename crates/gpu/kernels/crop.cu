// Boxes of a picture, each stretched to a model's input.
#include "half.cuh"
#include "picture.cuh"

// Whole pixels of the picture.
struct Rect {
    Span across, down;
};

// Most boxes of a launch: they travel as a kernel parameter, of which there are 4 KiB.
#define MOST_BOXES 64

struct Rects {
    Rect of[MOST_BOXES];
};

template <typename T>
__device__ inline void crop(const Picture &picture, const Channels &channels, const Rect &rect, int width, int height,
                            T *out) {
    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height) {
        return;
    }
    size_t plane = (size_t)width * height;
    T *at = out + blockIdx.z * 3 * plane + (size_t)y * width + x;
    resample(picture, channels, rect.across, rect.down, x, y, width, height, at, plane);
}

extern "C" __global__ void crop_f32(Picture picture, Channels channels, const __grid_constant__ Rects rects, int width,
                                    int height, float *out) {
    crop(picture, channels, rects.of[blockIdx.z], width, height, out);
}

extern "C" __global__ void crop_f16(Picture picture, Channels channels, const __grid_constant__ Rects rects, int width,
                                    int height, unsigned short *out) {
    crop(picture, channels, rects.of[blockIdx.z], width, height, out);
}
