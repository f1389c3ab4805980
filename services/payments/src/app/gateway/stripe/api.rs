//! One request to Stripe, and what its answer means.

use std::{fmt, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use reqwest::{Client, RequestBuilder, Response, Url, redirect::Policy};
use serde::de::DeserializeOwned;
use vouch_storage::{BoxError, describe};

use super::objects::{ApiError, ErrorBody, Named, Page};

/// Objects look as they did in this version, whatever the account's own one is.
const VERSION: &str = "2024-06-20";
/// How long it may take until Stripe is reached, and until it has answered.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);
/// The largest answer that is read: a page of a hundred charges is a tenth of it.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// The most pages that are turned before a list counts as endless.
const MOST_PAGES: usize = 1_000;

/// Names and values, as a query or as a form.
pub(super) type Pairs = Vec<(String, String)>;

/// The way to Stripe.
pub(super) struct Api {
    client: Client,
    base: Url,
}

/// A request came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// Stripe has certainly not done it, and may do it later.
    NotDone(String),
    /// Nobody knows whether Stripe has done it.
    Unknown(String),
    /// Stripe has not done it, and says why.
    Refused(ApiError),
}

/// A request that changes something.
pub(super) struct Change<'a> {
    /// Where.
    pub path: &'a str,
    /// Under which key it is done once.
    pub key: String,
    /// For which connected account; the platform itself if it is none.
    pub account: Option<&'a str>,
    /// What.
    pub form: Pairs,
}

impl Api {
    pub(super) fn open(url: &str, secret: &str) -> Result<Self, BoxError> {
        // The HTTP client takes the provider of the process, and ring is the one that everybody here uses. A second
        // installation says no and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut key = HeaderValue::from_str(&format!("Bearer {secret}"))?;
        key.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (header::AUTHORIZATION, key),
            (
                HeaderName::from_static("stripe-version"),
                HeaderValue::from_static(VERSION),
            ),
        ]);
        let client = Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .redirect(Policy::none())
            .build()?;
        Ok(Self {
            client,
            base: Url::parse(url)?,
        })
    }

    /// Reads an object.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        account: Option<&str>,
        query: &Pairs,
    ) -> Result<T, Failure> {
        let url = self.url(path, query)?;
        send(for_account(self.client.get(url), account)).await
    }

    /// Makes or changes an object, once for each key.
    pub(super) async fn post<T: DeserializeOwned>(&self, change: Change<'_>) -> Result<T, Failure> {
        // A query is written as a form is.
        let form = self.url("/", &change.form)?.query().unwrap_or_default().to_owned();
        let request = self
            .client
            .post(self.url(change.path, &Pairs::new())?)
            .header("Idempotency-Key", change.key)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        send(for_account(request, change.account)).await
    }

    /// All objects of a list that are wanted, page by page.
    pub(super) async fn matching<T: DeserializeOwned + Named>(
        &self,
        path: &str,
        account: Option<&str>,
        query: Pairs,
        is_wanted: impl Fn(&T) -> bool,
    ) -> Result<Vec<T>, Failure> {
        let mut wanted = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut query = query.clone();
            query.push(pair("limit", "100"));
            query.extend(after.as_ref().map(|last| pair("starting_after", last)));
            let page: Page<T> = self.get(path, account, &query).await?;
            let last = page.data.last().map(|last| last.id().to_owned());
            wanted.extend(page.data.into_iter().filter(&is_wanted));
            match last {
                Some(last) if page.has_more => after = Some(last),
                _ => return Ok(wanted),
            }
        }
        Err(Failure::Unknown(format!("{path} has no end")))
    }

    fn url(&self, path: &str, query: &Pairs) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        url.set_path(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }
}

/// A name and its value.
pub(super) fn pair(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

fn for_account(request: RequestBuilder, account: Option<&str>) -> RequestBuilder {
    match account {
        Some(account) => request.header("Stripe-Account", account),
        None => request,
    }
}

async fn send<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Failure> {
    let response = request.send().await.map_err(failed)?;
    let status = response.status();
    let body = read(response).await?;
    judge(status, &body)
}

/// Who could not be connected to has heard nothing; after that, nobody knows.
fn failed(error: reqwest::Error) -> Failure {
    let heard_nothing = error.is_connect() || error.is_builder();
    // The address names customers.
    let text = describe(&error.without_url());
    if heard_nothing {
        Failure::NotDone(text)
    } else {
        Failure::Unknown(text)
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| match failed(error) {
        Failure::NotDone(text) => Failure::Unknown(text),
        other => other,
    })? {
        if body.len() + piece.len() > MOST_BYTES {
            return Err(Failure::Unknown("the answer is too large".to_owned()));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn judge<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<T, Failure> {
    if status.is_success() {
        return serde_json::from_slice(body)
            .map_err(|error| Failure::Unknown(format!("an answer that cannot be read: {error}")));
    }
    let error = serde_json::from_slice::<ErrorBody>(body).map(|body| body.error);
    let mut error = error.unwrap_or_default();
    error.status = status.as_u16();
    Err(match status {
        // The same key came with another order: whatever was done under it, it was not this.
        _ if error.kind.as_deref() == Some("idempotency_error") => Failure::Unknown(error.to_string()),
        StatusCode::BAD_REQUEST | StatusCode::PAYMENT_REQUIRED | StatusCode::NOT_FOUND => Failure::Refused(error),
        // A key that is wrong or may not, and too many requests: nothing was begun.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
            tracing::error!(%error, "Stripe does not take our requests");
            Failure::NotDone(error.to_string())
        }
        _ => Failure::Unknown(error.to_string()),
    })
}

impl Failure {
    /// Whether Stripe says that there is no such thing.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused(error) if error.is_missing())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDone(text) | Self::Unknown(text) => f.write_str(text),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::gateway::stripe::objects::Intent;

    fn kind(status: u16, body: &str) -> &'static str {
        let status = StatusCode::from_u16(status).expect("a status");
        match judge::<Intent>(status, body.as_bytes()) {
            Ok(_) => "done",
            Err(Failure::NotDone(_)) => "not done",
            Err(Failure::Unknown(_)) => "unknown",
            Err(Failure::Refused(_)) => "refused",
        }
    }

    /// What may have been done is never taken for what was not.
    #[test]
    fn an_answer_means_what_it_says_and_no_more() {
        let intent = r#"{"id": "pi_1", "status": "succeeded", "metadata": {}}"#;
        for (status, body, meaning) in [
            (200, intent, "done"),
            (200, r#"{"id": "pi_1", "status"#, "unknown"),
            (200, "<html>", "unknown"),
            (302, "", "unknown"),
            (400, r#"{"error": {"type": "invalid_request_error"}}"#, "refused"),
            (400, r#"{"error": {"type": "idempotency_error"}}"#, "unknown"),
            (401, "", "not done"),
            (
                402,
                r#"{"error": {"type": "card_error", "code": "card_declined"}}"#,
                "refused",
            ),
            (403, "", "not done"),
            (404, "not json", "refused"),
            (409, r#"{"error": {"code": "idempotency_key_in_use"}}"#, "unknown"),
            (429, "", "not done"),
            (500, intent, "unknown"),
            (503, "", "unknown"),
        ] {
            assert_eq!(kind(status, body), meaning, "{status} {body}");
        }
    }

    #[test]
    fn a_query_can_hold_anything() {
        let api = Api::open("http://127.0.0.1:1", "sk_test_x").expect("an adapter");
        let query = vec![pair("metadata[vouch_order]", "a b&c=d")];
        let url = api.url("/v1/charges", &query).expect("an address");
        assert_eq!(
            url.as_str(),
            "http://127.0.0.1:1/v1/charges?metadata%5Bvouch_order%5D=a+b%26c%3Dd"
        );
    }
}
