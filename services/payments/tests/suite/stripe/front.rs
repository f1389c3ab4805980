//! What stands between the adapter and localstripe: it passes everything on, sees what is asked, loses what it is told to
//! lose, and answers for what localstripe does not have.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use futures::stream;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{handwritten::Handwritten, http};

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is carried out, and the connection is cut before it is answered.
    CutAnswer,
    /// The connection is cut before anybody has heard of it.
    CutRequest,
    /// It is carried out, and a server on the way says that it failed.
    SayFailed,
    /// The same of a question, not of a change.
    SayNothing,
}

impl Fault {
    fn method(self) -> Method {
        match self {
            Self::CutAnswer | Self::CutRequest | Self::SayFailed => Method::POST,
            Self::SayNothing => Method::GET,
        }
    }
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    pub path: String,
    pub key: Option<String>,
    pub account: Option<String>,
}

/// A door on a port of its own, that goes when this value is dropped.
#[derive(Debug)]
pub struct Front {
    pub address: SocketAddr,
    pub passage: Arc<Passage>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
pub struct Passage {
    target: String,
    client: reqwest::Client,
    /// The next changes and questions of these paths go wrong so, in order.
    faults: Mutex<Vec<(&'static str, Fault)>>,
    seen: Mutex<Vec<Seen>>,
    pub handwritten: Handwritten,
}

impl Front {
    pub async fn before(target: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let passage = Arc::new(Passage {
            target,
            client: http(),
            faults: Mutex::default(),
            seen: Mutex::default(),
            handwritten: Handwritten::default(),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&passage));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("served") });
        Self {
            address,
            passage,
            serving,
        }
    }

    /// The next change at this path goes wrong, or the next question.
    pub fn spoil(&self, path: &'static str, fault: Fault) {
        lock(&self.passage.faults).push((path, fault));
    }

    /// Which changes of this path were asked for.
    pub fn changes(&self, path: &str) -> Vec<Seen> {
        let seen = lock(&self.passage.seen);
        let of_path = |seen: &&Seen| seen.method == Method::POST && seen.path == path;
        seen.iter().filter(of_path).cloned().collect()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Passage {
    /// Takes the next fault of a path.
    fn fault(&self, method: &Method, path: &str) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        let next = faults
            .iter()
            .position(|(of, fault)| *method == fault.method() && *of == path)?;
        Some(faults.remove(next).1)
    }

    /// Has localstripe answer.
    pub async fn forward(
        &self,
        method: Method,
        path_and_query: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> (StatusCode, Bytes) {
        let mut request = self
            .client
            .request(method, format!("{}{path_and_query}", self.target))
            .body(body);
        for name in [
            "authorization",
            "content-type",
            "idempotency-key",
            "stripe-account",
            "stripe-version",
        ] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.expect("an answer of localstripe");
        (answer.status(), answer.bytes().await.expect("a body"))
    }
}

async fn pass(
    State(passage): State<Arc<Passage>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    lock(&passage.seen).push(Seen {
        method: method.clone(),
        path: path.clone(),
        key: header("idempotency-key"),
        account: header("stripe-account"),
    });
    let fault = passage.fault(&method, &path);
    if fault == Some(Fault::CutRequest) {
        return cut();
    }
    let written = passage
        .handwritten
        .answer(&passage, &method, &uri, &headers, &body)
        .await;
    let (status, answer) = match written {
        Some((status, answer)) => (status, Bytes::from(answer.to_string())),
        None => {
            let path_and_query = uri.path_and_query().map_or("/", |both| both.as_str());
            passage.forward(method, path_and_query, &headers, body).await
        }
    };
    match fault {
        Some(Fault::CutAnswer) => cut(),
        Some(Fault::SayFailed | Fault::SayNothing) => (StatusCode::BAD_GATEWAY, "bad gateway").into_response(),
        _ => (status, [("content-type", "application/json")], answer).into_response(),
    }
}

/// A body that fails at once ends its connection.
fn cut() -> Response {
    let broken = stream::once(async { Err::<Bytes, _>(io::Error::other("cut")) });
    Response::new(Body::from_stream(broken))
}

/// Reads a body as JSON.
pub fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("JSON")
}
