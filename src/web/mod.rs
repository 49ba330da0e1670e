//! Health, readiness, metrics, models, pictures of events, serial mode and reload over HTTP, on loopback.

mod control;
mod media;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::oneshot;

use crate::telemetry::metrics::Metrics;

/// The configured address cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("http.listen {address} cannot be used: {reason}; choose another port")]
pub struct ListenError {
    address: SocketAddr,
    reason: std::io::Error,
}

/// Has the daemon started?
#[derive(Debug, Default)]
pub struct Readiness(AtomicBool);

impl Readiness {
    /// Engines are warm and every camera has its thread.
    pub fn ready(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

pub use axum::http::StatusCode as Status;
pub use control::{Control, Refusal};

struct App {
    control: Control,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
}

/// A running listener.
pub struct Server {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Listens; port 0 takes a free one, which the log names.
    ///
    /// # Errors
    /// Where the address cannot be used.
    pub fn start(
        listen: SocketAddr,
        metrics: Arc<Metrics>,
        readiness: Arc<Readiness>,
        control: Control,
    ) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind(listen).map_err(|reason| ListenError { address: listen, reason })?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (stop, stopped) = oneshot::channel();
        let app = router(App { control, metrics, readiness });
        let thread = std::thread::Builder::new().name("web".to_owned()).spawn(move || {
            let served: anyhow::Result<()> = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::select! {
                    served = axum::serve(listener, app) => served.map_err(Into::into),
                    // Whoever still reads an answer must not hold up the drain.
                    _ = stopped => Ok(()),
                }
            });
            if let Err(error) = served {
                tracing::error!("the HTTP listener ended: {error}");
            }
            // A request that waits for the device must not hold up the drain either.
            runtime.shutdown_background();
        })?;
        tracing::info!(%address, "HTTP listens");
        Ok(Self { stop, thread })
    }

    /// Ends it.
    pub fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

fn router(app: App) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/api/v1/contract", get(control::contract))
        .route("/api/v1/events/{id}/{file}", get(media::file))
        .route("/api/v1/models", get(control::models))
        .route("/api/v1/reload", post(control::reload))
        .route("/api/v1/serial-mode", get(control::serial_mode).post(control::set_serial_mode))
        .with_state(Arc::new(app))
}

/// 200 once engines are warm; a camera that is down does not make the daemon unready, but is named.
async fn readyz(State(app): State<Arc<App>>) -> Response {
    let cameras: serde_json::Map<_, _> =
        app.metrics.cameras().iter().map(|camera| (camera.id.clone(), json!(camera.status()))).collect();
    let ready = app.readiness.0.load(Ordering::SeqCst);
    let reasons: Vec<&str> = if ready { vec![] } else { vec!["starting"] };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "reasons": reasons, "cameras": cameras }))).into_response()
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.render()).into_response()
}
