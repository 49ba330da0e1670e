//! A simulated `libnvonnxparser.so.11`: `sim_nvonnxparser` under TensorRT's names.
#![allow(non_snake_case, reason = "the names are TensorRT's")]

sim_nvonnxparser::export!(11);
