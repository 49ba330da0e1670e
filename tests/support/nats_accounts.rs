//! Keys and JWTs of NATS, made as `nsc` makes them: an operator, its accounts, a user with a `.creds` file.

#![allow(dead_code, clippy::unwrap_used, reason = "a test that cannot make its keys has failed")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

const OPERATOR: u8 = 14 << 3;
const ACCOUNT: u8 = 0;
const USER: u8 = 20 << 3;
const SEED: u8 = 18 << 3;

struct Key {
    kind: u8,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl Key {
    fn new(kind: u8) -> Self {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).unwrap();
        Self { kind, seed, pair: Ed25519KeyPair::from_seed_unchecked(&seed).unwrap() }
    }

    fn public(&self) -> String {
        let mut bytes = vec![self.kind];
        bytes.extend_from_slice(self.pair.public_key().as_ref());
        checked(bytes)
    }

    fn seed(&self) -> String {
        let mut bytes = vec![SEED | (self.kind >> 5), (self.kind & 31) << 3];
        bytes.extend_from_slice(&self.seed);
        checked(bytes)
    }

    fn sign(&self, subject: &Key, name: &str, nats: &Value) -> String {
        let claims = json!({
            "jti": name, "iat": 1_700_000_000, "iss": self.public(), "name": name, "sub": subject.public(), "nats": nats,
        });
        let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", text(&json!({"typ": "JWT", "alg": "ed25519-nkey"})), text(&claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes())))
    }
}

/// Base 32 with a CRC-16 (XMODEM) at the end.
fn checked(mut bytes: Vec<u8>) -> String {
    let mut crc = 0_u16;
    for byte in &bytes {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
    }
    bytes.extend_from_slice(&crc.to_le_bytes());
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let letter = |five: &[u8]| {
        let padded = format!("{:0<5}", std::str::from_utf8(five).unwrap());
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from_str_radix(&padded, 2).unwrap()])
    };
    bits.as_bytes().chunks(5).map(letter).collect()
}

/// Lines of a server's configuration, and the `.creds` file of a user it lets in.
pub fn operator_and_user() -> (String, String) {
    let (operator, system, account, user) = (Key::new(OPERATOR), Key::new(ACCOUNT), Key::new(ACCOUNT), Key::new(USER));
    let limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
    });
    let plain = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
    });
    let of_account = |key: &Key, name: &str, limits: &Value| {
        operator.sign(key, name, &json!({"limits": limits, "type": "account", "version": 2}))
    };
    let lines = format!(
        "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {}, {}: {} }}",
        operator.sign(&operator, "site", &json!({"type": "operator", "version": 2})),
        system.public(),
        system.public(),
        of_account(&system, "SYS", &plain),
        account.public(),
        of_account(&account, "EVENTS", &limits),
    );
    let rights = json!({"pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1, "type": "user", "version": 2});
    let creds = format!(
        "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        account.sign(&user, "watchkeeper", &rights),
        user.seed(),
    );
    (lines, creds)
}
