//! A simulated `libnvinfer.so.10`: `sim_nvinfer` under TensorRT's names.
#![allow(non_snake_case, reason = "the names are TensorRT's")]

sim_nvinfer::export!(10);
