//! stub
use crate::profile::model::Tls;
use crate::profile::secret::Text;
use bytes::Bytes;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub url: String,
    pub unix: Option<PathBuf>,
    pub headers: Vec<(String, Text)>,
    pub bearer: Option<Text>,
    pub bearer_file: Option<PathBuf>,
    pub basic: Option<(String, Text)>,
    pub tls: Tls,
    pub timeout: Duration,
    pub max_body: u64,
    pub redirects: bool,
}
#[derive(Debug)]
pub struct Client;
#[derive(Debug)]
pub struct Fetched {
    pub body: Bytes,
    pub content_type: Option<String>,
    pub status: u16,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct E;
impl Client {
    pub fn new(_: &Endpoint) -> Result<Self, E> {
        Ok(Self)
    }
    pub fn url(&self) -> &str {
        ""
    }
    pub async fn fetch(&self) -> Result<Fetched, E> {
        Err(E)
    }
    pub async fn get(&self, _: &Url) -> Result<Fetched, E> {
        Err(E)
    }
}
impl Fetched {
    pub fn of(body: Vec<u8>, content_type: Option<&str>) -> Self {
        Self {
            body: body.into(),
            content_type: content_type.map(Into::into),
            status: 200,
        }
    }
}
