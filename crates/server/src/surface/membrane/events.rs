//! `GET /sse/connection-events/{requestId}`: whoever made up a request's id hears how it ended.
//!
//! One message, then the stream is closed; comments keep it open until then. Nobody shows a credential: the id is what
//! one has to know, and the message has nothing secret in it. A token in the query, which one of the SDKs sends along, is
//! not looked at.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use claviger_engine::{
    connect::{self, Listener},
    error::Error,
};
use http_body::Frame;
use tokio::{sync::mpsc, time};

use super::{asked::Named, error::Answer, result};
use crate::{
    app::App,
    http::client::{ClientAddr, subscriber},
};

/// How often a comment is sent, so that nothing between takes the stream for dead.
const PING: Duration = Duration::from_secs(15);
const COMMENT: &[u8] = b": ping\n\n";

/// Waits for the end of a connect request, as server-sent events (WHATWG HTML §9.2).
#[utoipa::path(
    get,
    path = "/sse/connection-events/{requestId}",
    tag = "connecting",
    params(("requestId" = String, Path, description = "The id that the caller made up for its request: 16 to 128 letters, digits, `_` and `-`.")),
    responses(
        (status = 200, content_type = "text/event-stream", description = "Held open until the request has ended; then one `data:` line, the message that is posted to the window's opener as well."),
        (status = 400, description = "This can't be such an id."),
        (status = 429, description = "Too many wait, from this address or altogether.")
    )
)]
pub async fn stream(
    State(app): State<App>,
    Named(request): Named<String>,
    ClientAddr(address): ClientAddr,
) -> Answer {
    let listener = connect::listen(&app.broker, &app.listeners, &request, &subscriber(address)).await?;
    let (lines, body) = mpsc::channel(4);
    tokio::spawn(tell(app, request, listener, lines));
    let answer = Response::builder().header(header::CONTENT_TYPE, "text/event-stream");
    // Some reverse proxies hold back what they are not told to let pass.
    let answer = answer.header("x-accel-buffering", HeaderValue::from_static("no"));
    let answer = answer.body(Body::new(Lines(body)));
    Ok(answer.map_err(|e| Error::internal(e.to_string()))?)
}

/// Says one thing, then ends; ends as well when the time is over or nobody is at the other end any more.
async fn tell(app: App, request: String, mut listener: Listener, lines: mpsc::Sender<Bytes>) {
    let mut over = pin!(time::sleep(app.listeners.bounds.life));
    let mut pings = time::interval_at(time::Instant::now() + PING, PING);
    // At once, so that whoever is between lets the stream through.
    if lines.send(Bytes::from_static(COMMENT)).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            () = lines.closed() => return,
            () = &mut over => return,
            _ = pings.tick() => {
                if lines.send(Bytes::from_static(COMMENT)).await.is_err() { return }
            }
            heard = listener.heard() => {
                let Some(heard) = heard else { return };
                let said = result::message(&app.broker, &heard.workspace_id, Some(&request), &heard.ended).await;
                let _gone = lines.send(format!("data: {}\n\n", said.json).into()).await;
                return;
            }
        }
    }
}

/// A body of lines as they come.
struct Lines(mpsc::Receiver<Bytes>);

impl http_body::Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}
