//! What an operator may ask of inference and tell it. Errors are problem+json (RFC 9457) with a stable `code`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::App;

/// Leads from an event's id and the name of a file to its path.
type MediaFile = dyn Fn(&str, &str) -> Option<PathBuf> + Send + Sync;

/// The parts of the daemon behind it.
pub struct Control {
    /// Is it one execution at a time, since when and why?
    pub serial_mode: Box<dyn Fn() -> Value + Send + Sync>,
    /// One execution at a time, or parallel again; false where nothing changed.
    pub set_serial_mode: Box<dyn Fn(bool) -> bool + Send + Sync>,
    /// The GPU contract report: of the start, and of models that were changed since.
    pub contract: Box<dyn Fn() -> Value + Send + Sync>,
    /// Each model and its engine.
    pub models: Box<dyn Fn() -> Value + Send + Sync>,
    /// The file of an event's picture or clip, by the event's id and the file's name; `None`: no such thing is kept.
    pub media: Box<MediaFile>,
    /// Reads the configuration anew and applies what changed; what came of it.
    pub reload: Box<dyn Fn() -> Result<Value, Refusal> + Send + Sync>,
}

/// Why something was not done.
#[derive(Debug)]
pub struct Refusal {
    /// Status of the answer.
    pub status: StatusCode,
    /// A stable word for programs.
    pub code: &'static str,
    /// For people.
    pub detail: String,
    /// Further members of the answer.
    pub more: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    serial: bool,
}

pub(super) async fn contract(State(app): State<Arc<App>>) -> Response {
    Json((app.control.contract)()).into_response()
}

pub(super) async fn models(State(app): State<Arc<App>>) -> Response {
    Json(json!({ "models": (app.control.models)() })).into_response()
}

/// Answers when the reload has ended. For this host by a name of its own only, as [`set_serial_mode`]; and what a page in
/// a browser can send to it without asking first, it is not: JSON.
pub(super) async fn reload(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(refused) = foreign(&headers) {
        return refused;
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad-request", "send `Content-Type: application/json`");
    }
    if !body.trim_ascii().is_empty() && serde_json::from_slice::<Empty>(&body).is_err() {
        return problem(StatusCode::BAD_REQUEST, "bad-request", "send {} or nothing");
    }
    // It may take minutes.
    match tokio::task::spawn_blocking(move || (app.control.reload)()).await {
        Ok(Ok(done)) => Json(done).into_response(),
        Ok(Err(Refusal { status, code, detail, more })) => problem_with(status, code, &detail, more),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the reload failed; look at the log"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

pub(super) async fn serial_mode(State(app): State<Arc<App>>) -> Response {
    Json((app.control.serial_mode)()).into_response()
}

/// `{"serial": false}` ends serial mode, `{"serial": true}` begins it. Only JSON is taken, and only for this host by a name
/// of its own: a page in a browser cannot send the one without asking first, and with a name of its own (DNS rebinding)
/// not the other.
pub(super) async fn set_serial_mode(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Response {
    if let Some(refused) = foreign(&headers) {
        return refused;
    }
    let Json(Wanted { serial }) = match wanted {
        Ok(wanted) => wanted,
        Err(refused) => return problem(refused.status(), "bad-request", &refused.body_text()),
    };
    // Waits for executions under way.
    let changing = Arc::clone(&app);
    let changed = tokio::task::spawn_blocking(move || (changing.control.set_serial_mode)(serial)).await;
    let now = (app.control.serial_mode)();
    if !changed.unwrap_or(false) && now["serial"] != json!(serial) {
        let words = "there is no model on a GPU, or runtime.concurrency = \"serial\" leaves no choice";
        return problem(StatusCode::CONFLICT, "serial-mode-fixed", words);
    }
    Json(now).into_response()
}

/// The refusal of whoever asks for another host.
fn foreign(headers: &HeaderMap) -> Option<Response> {
    let ours = headers.get(header::HOST).and_then(|host| host.to_str().ok()).is_some_and(is_loopback);
    (!ours).then(|| problem(StatusCode::FORBIDDEN, "foreign-host", "ask for localhost, 127.0.0.1 or [::1]"))
}

/// Is it a name of this host that nobody else can have? With or without a port.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

pub(super) fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    problem_with(status, code, detail, Map::new())
}

fn problem_with(status: StatusCode, code: &str, detail: &str, mut body: Map<String, Value>) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    body.insert("title".to_owned(), json!(title));
    body.insert("status".to_owned(), json!(status.as_u16()));
    body.insert("code".to_owned(), json!(code));
    body.insert("detail".to_owned(), json!(detail));
    (status, [(header::CONTENT_TYPE, "application/problem+json")], Value::Object(body).to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_ours_are_ours() {
        for host in ["localhost", "LOCALHOST:8780", "127.0.0.1:8780", "127.9.9.9", "[::1]:80", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "example.com", "localhost.example.com", "127.0.0.1.example.com:80", "192.0.2.1", "[::2]:80"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
