//! Models that are damaged as quantisation damages them.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its own part")]

/// A model whose weights are rounded to so many steps on either side of 0, each tensor by its largest.
pub fn rounded(model: &[u8], steps: f32) -> Vec<u8> {
    changed(model, |weights| {
        let largest = weights.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
        weights.iter_mut().for_each(|weight| *weight = (*weight / largest * steps).round() / steps * largest);
    })
}

/// A model with other weights of the same size.
pub fn changed(model: &[u8], change: impl Fn(&mut [f32])) -> Vec<u8> {
    let mut model = model.to_vec();
    let mut count = 0;
    // ModelProto.graph = 7, GraphProto.initializer = 5, TensorProto.data_type = 2 (1: float), .raw_data = 9.
    for graph in fields(&model, (0, model.len())).into_iter().filter(|field| field.number == 7) {
        for tensor in fields(&model, graph.place).into_iter().filter(|field| field.number == 5) {
            let parts = fields(&model, tensor.place);
            let floats = parts.iter().any(|part| part.number == 2 && part.value == 1);
            // Sizes of windows and numbers of channels stay as they are.
            let raw = parts.iter().find(|part| part.number == 9 && part.place.1 - part.place.0 >= 64);
            let Some(&Field { place: (from, to), .. }) = raw.filter(|_| floats) else { continue };
            let floats = model[from..to].chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
            let mut weights: Vec<f32> = floats.collect();
            change(&mut weights);
            let bytes: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
            model[from..to].copy_from_slice(&bytes);
            count += 1;
        }
    }
    assert!(count > 5, "{count} tensors of weights are not all of them");
    model
}

struct Field {
    number: u64,
    value: u64,
    /// Of a field with a length.
    place: (usize, usize),
}

/// The fields of a message (Protocol Buffers, "Encoding").
fn fields(bytes: &[u8], (mut at, end): (usize, usize)) -> Vec<Field> {
    let mut fields = Vec::new();
    while at < end {
        let key = varint(bytes, &mut at);
        let number = key >> 3;
        match key & 7 {
            0 => fields.push(Field { number, value: varint(bytes, &mut at), place: (at, at) }),
            2 => {
                let length = varint(bytes, &mut at) as usize;
                fields.push(Field { number, value: 0, place: (at, at + length) });
                at += length;
            }
            1 => at += 8,
            5 => at += 4,
            kind => panic!("wire type {kind}"),
        }
    }
    fields
}

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}
