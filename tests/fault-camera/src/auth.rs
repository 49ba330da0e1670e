//! Basic and Digest authentication (RFC 2617, without `qop`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::faults::Auth;
use crate::message::Request;

/// The user name of every camera.
pub const USER: &str = "admin";
/// The password of a camera unless [`set_password`](crate::FaultCamera::set_password) gave it another one.
pub const PASSWORD: &str = "s3cret!pw";

const REALM: &str = "fault-camera";

/// The value of the `WWW-Authenticate` header that asks for this kind.
pub(crate) fn challenge(kind: Auth, nonce: &str) -> String {
    match kind {
        Auth::Basic => format!("Basic realm=\"{REALM}\""),
        Auth::Digest => format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\""),
    }
}

/// True if the request carries the right user and password.
pub(crate) fn is_authorized(kind: Auth, request: &Request, nonce: &str, password: &str) -> bool {
    let Some((scheme, credentials)) = request.header("Authorization").and_then(|value| value.split_once(' ')) else {
        return false;
    };
    match kind {
        Auth::Basic => {
            scheme.eq_ignore_ascii_case("Basic") && credentials == STANDARD.encode(format!("{USER}:{password}"))
        }
        Auth::Digest => {
            let field = |name: &str| {
                credentials.split(',').find_map(|part| {
                    let (key, value) = part.trim().split_once('=')?;
                    (key == name).then(|| value.trim_matches('"'))
                })
            };
            let user = hash(&format!("{USER}:{REALM}:{password}"));
            let what = hash(&format!("{}:{}", request.method, field("uri").unwrap_or_default()));
            scheme.eq_ignore_ascii_case("Digest")
                && field("username") == Some(USER)
                && field("nonce") == Some(nonce)
                && field("response") == Some(hash(&format!("{user}:{nonce}:{what}")).as_str())
        }
    }
}

/// MD5 in hexadecimal, as Digest wants it.
pub(crate) fn hash(text: &str) -> String {
    format!("{:x}", md5::compute(text))
}
