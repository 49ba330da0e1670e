//! Pictures and clips of events.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::control::problem;

/// An event is told before its picture is on disk: so long it is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(50);

/// What a name that we know leads to; anything else is not found, whatever it looks like.
pub(super) async fn file(State(app): State<Arc<App>>, Path((id, name)): Path<(String, String)>) -> Response {
    let missing = || problem(StatusCode::NOT_FOUND, "no-media", "there is no such picture or clip, or not any more");
    let Some(path) = (app.control.media)(&id, &name) else { return missing() };
    let mut waited = Duration::ZERO;
    let bytes = loop {
        let at = path.clone();
        match tokio::task::spawn_blocking(move || std::fs::read(at)).await {
            Ok(Ok(bytes)) => break bytes,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound && waited < PATIENCE => {
                waited += STEP;
                tokio::time::sleep(STEP).await;
            }
            _ => return missing(),
        }
    };
    let kind = if name.ends_with(".mp4") { "video/mp4" } else { "image/jpeg" };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "private, max-age=86400, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Body::from(bytes)).into_response()
}
