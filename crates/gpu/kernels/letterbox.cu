// A whole picture into a model's input, padding included.
#include "half.cuh"
#include "picture.cuh"

// Where the picture lies in the tensor, and the tensor's size, pixels.
struct Place {
    int left, top, columns, rows;
    int width, height;
};

template <typename T>
__device__ inline void letterbox(const Picture &picture, int frame_width, int frame_height, const Channels &channels,
                                 const Place &place, T *out) {
    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= place.width || y >= place.height) {
        return;
    }
    size_t plane = (size_t)place.width * place.height;
    T *at = out + (size_t)y * place.width + x;
    int i = x - place.left, j = y - place.top;
    if (i < 0 || j < 0 || i >= place.columns || j >= place.rows) {
        for (int c = 0; c < 3; c++) {
            store(at + c * plane, channels.of[c].pad);
        }
        return;
    }
    Span across = {0, frame_width}, down = {0, frame_height};
    resample(picture, channels, across, down, i, j, place.columns, place.rows, at, plane);
}

extern "C" __global__ void letterbox_f32(Picture picture, int frame_width, int frame_height, Channels channels,
                                         Place place, float *out) {
    letterbox(picture, frame_width, frame_height, channels, place, out);
}

extern "C" __global__ void letterbox_f16(Picture picture, int frame_width, int frame_height, Channels channels,
                                         Place place, unsigned short *out) {
    letterbox(picture, frame_width, frame_height, channels, place, out);
}
