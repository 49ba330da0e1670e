// Arithmetic whose answer is known: shows that the device computes.

extern "C" __global__ void proof(const unsigned int *in, unsigned int *out, unsigned int count) {
    unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) {
        float half = (float)(i & 0xffff) * 0.5f + 1.0f;
        out[i] = (in[i] * 2654435761u) ^ __float_as_uint(half);
    }
}
