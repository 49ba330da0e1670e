//! What PTX text says of its kernels ("PTX ISA", kernel entry points): names and sizes of parameters.

use gpu_sim::report::misuse;

use crate::driver::LIBRARY;
use crate::result::Code;

/// A kernel's name and its parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kernel {
    pub(super) name: String,
    pub(super) parameters: Vec<Parameter>,
}

/// A kernel's parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) bytes: usize,
    /// Its alignment leaves room for addresses.
    pub(super) addresses: bool,
}

/// A module's demands and kernels.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ptx {
    /// ISA version times ten.
    pub(super) version: i32,
    /// Compute capability times ten.
    pub(super) target: i32,
    pub(super) kernels: Vec<Kernel>,
}

/// Reads a module.
pub(super) fn read(text: &str) -> Result<Ptx, Code> {
    let text: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let word = |after: &str| {
        let rest = text.split(after).nth(1)?;
        rest.split(|c: char| c.is_whitespace() || c == ',').find(|word| !word.is_empty())
    };
    let number = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>().parse::<i32>().ok();
    let version = word(".version").and_then(number).ok_or(Code::INVALID_PTX)?;
    let target = word(".target").and_then(number).ok_or(Code::INVALID_PTX)?;
    let mut kernels = Vec::new();
    for entry in text.split(".entry").skip(1) {
        let (head, rest) = entry.split_once(['(', '{']).ok_or(Code::INVALID_PTX)?;
        let name = head.split_whitespace().next().ok_or(Code::INVALID_PTX)?.to_owned();
        let has_parameters = entry[head.len()..].starts_with('(');
        let list = if has_parameters { rest.split(')').next().unwrap_or_default() } else { "" };
        let parameters = list.split(',').filter(|part| part.contains(".param")).map(parameter);
        kernels.push(Kernel { name, parameters: parameters.collect::<Option<_>>().ok_or(Code::INVALID_PTX)? });
    }
    Ok(Ptx { version, target, kernels })
}

fn parameter(text: &str) -> Option<Parameter> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let scalar = words.iter().find_map(|word| match *word {
        ".b8" | ".u8" | ".s8" => Some(1),
        ".b16" | ".u16" | ".s16" | ".f16" => Some(2),
        ".b32" | ".u32" | ".s32" | ".f32" => Some(4),
        ".b64" | ".u64" | ".s64" | ".f64" => Some(8),
        _ => None,
    })?;
    match text.split_once('[') {
        Some((_, count)) => {
            let count = count.split(']').next()?.trim().parse::<usize>().ok()?;
            let aligned = words.windows(2).any(|pair| pair == [".align", "8"] || pair == [".align", "16"]);
            Some(Parameter { bytes: scalar * count, addresses: aligned })
        }
        None => Some(Parameter { bytes: scalar, addresses: scalar == 8 }),
    }
}

/// Whether a driver of this version and a device of this capability would take the module.
pub(super) fn check(ptx: &Ptx, driver: i32, (major, minor): (i32, i32)) -> Result<(), Code> {
    // 12.2 takes ISA 8.2, 11.4 takes 7.4, 13.0 takes 9.0 ("PTX ISA", release notes); exact for the drivers of JetPack 6.
    let most = (driver / 1000 - 4) * 10 + driver % 1000 / 10;
    if ptx.version > most {
        let words = format!("PTX ISA {} is newer than this driver's {}", ptx.version, most);
        misuse(LIBRARY, "ptx-version", &words);
        return Err(Code::UNSUPPORTED_PTX_VERSION);
    }
    if ptx.target > major * 10 + minor {
        misuse(LIBRARY, "ptx-target", &format!("PTX for sm_{} on a device of {major}.{minor}", ptx.target));
        return Err(Code::NO_BINARY_FOR_GPU);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Kernel, Parameter, check, read};

    const TEXT: &str = "
.version 8.2
.target sm_75 // .entry nothing(
.address_size 64
.visible .entry crop_f32(
    .param .align 8 .b8 crop_f32_param_0[40],
    .param .align 4 .b8 crop_f32_param_1[84],
    .param .u32 crop_f32_param_2,
    .param .u64 .ptr .align 1 crop_f32_param_3
)
{ ret; }
.visible .entry nothing()
{ ret; }
";

    #[test]
    fn kernels_and_the_sizes_of_their_parameters() {
        let ptx = read(TEXT).expect("PTX");
        assert_eq!((ptx.version, ptx.target), (82, 75));
        let parameters = [(40, true), (84, false), (4, false), (8, true)];
        let parameters = parameters.map(|(bytes, addresses)| Parameter { bytes, addresses }).to_vec();
        let crop = Kernel { name: "crop_f32".to_owned(), parameters };
        assert_eq!(ptx.kernels, [crop, Kernel { name: "nothing".to_owned(), parameters: vec![] }]);
    }

    #[test]
    fn old_drivers_and_devices_refuse_it() {
        let ptx = read(TEXT).expect("PTX");
        assert!(check(&ptx, 12020, (8, 7)).is_ok());
        assert!(check(&ptx, 12010, (8, 7)).is_err());
        assert!(check(&ptx, 12020, (7, 2)).is_err());
    }
}
