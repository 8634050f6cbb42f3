//! A user's cookies.
//!
//! In: `Set-Cookie` headers and the URL they came from. Out: the `Cookie` header for another URL, by the rules of
//! RFC 6265. The invariant: what a server sets cannot grow a user without bound.

use cookie_store::{CookieStore, RawCookie};
use hyper::header::{HeaderValue, SET_COOKIE};
use hyper::{HeaderMap, Uri};
use url::Url;

/// Largest `Set-Cookie` that is kept, bytes; browsers draw the line at the same place.
const LARGEST: usize = 4096;
/// Cookies one user keeps.
const MOST: usize = 150;

/// Cookies of one user; nothing is allocated before the first one is set.
#[derive(Debug, Default)]
pub(super) struct Jar {
    store: Option<Box<CookieStore>>,
    /// URI of the request on its way, where the step alone does not tell it.
    pub(super) asked: Option<Box<Uri>>,
}

impl Jar {
    /// Whether a request can need a `Cookie` header at all.
    pub(super) fn is_empty(&self) -> bool {
        self.store.is_none()
    }

    /// Keeps what an answer sets. Cookies that are too large, too many, malformed or for another host are ignored, as
    /// browsers do.
    pub(super) fn keep(&mut self, headers: &HeaderMap, url: impl FnOnce() -> Option<Url>) {
        if !headers.contains_key(SET_COOKIE) {
            return;
        }
        let Some(url) = url() else { return };
        for value in headers.get_all(SET_COOKIE) {
            let Ok(text) = value.to_str() else { continue };
            let Ok(cookie) = RawCookie::parse(text.to_owned()) else {
                continue;
            };
            let store = self.store.get_or_insert_default();
            let full = store.iter_any().take(MOST).count() >= MOST;
            let known = store.iter_any().any(|kept| kept.name() == cookie.name());
            if text.len() <= LARGEST && (known || !full) {
                // A refused cookie (another host's, say) is the server's affair.
                let _ = store.insert_raw(&cookie, &url);
            }
        }
    }

    /// The `Cookie` header for a URL.
    pub(super) fn header(&self, url: &Url) -> Option<HeaderValue> {
        let mut text = String::new();
        for (name, value) in self.store.as_ref()?.get_request_values(url) {
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
        if text.is_empty() {
            return None;
        }
        HeaderValue::from_str(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(set: &[&str]) -> Jar {
        let mut headers = HeaderMap::new();
        for text in set {
            headers.append(SET_COOKIE, HeaderValue::from_str(text).unwrap());
        }
        let mut jar = Jar::default();
        jar.keep(&headers, || Url::parse("http://shop.test/login").ok());
        jar
    }

    fn sent(jar: &Jar, url: &str) -> Option<String> {
        let header = jar.header(&Url::parse(url).unwrap())?;
        Some(header.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_cookie_goes_back_to_its_own_host_and_path_only() {
        let jar = jar(&["sid=1; Path=/", "cart=2; Path=/cart"]);
        assert_eq!(sent(&jar, "http://shop.test/"), Some("sid=1".into()));
        let both = sent(&jar, "http://shop.test/cart/3").unwrap();
        assert!(both.contains("sid=1") && both.contains("cart=2"), "{both}");
        assert_eq!(sent(&jar, "http://other.test/"), None);
    }

    #[test]
    fn a_cookie_that_is_expired_by_the_server_is_gone() {
        let mut jar = jar(&["sid=1; Path=/"]);
        let mut headers = HeaderMap::new();
        headers.append(
            SET_COOKIE,
            HeaderValue::from_static("sid=; Path=/; Max-Age=0"),
        );
        jar.keep(&headers, || Url::parse("http://shop.test/").ok());
        assert_eq!(sent(&jar, "http://shop.test/"), None);
    }

    #[test]
    fn a_server_that_sets_cookies_without_end_cannot_fill_memory() {
        let many: Vec<_> = (0..1000).map(|n| format!("c{n}=1; Path=/")).collect();
        let jar = jar(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(jar.store.unwrap().iter_any().count(), MOST);
    }

    #[test]
    fn a_user_without_cookies_costs_two_null_pointers() {
        assert_eq!(size_of::<Jar>(), 2 * size_of::<usize>());
        assert!(jar(&[]).is_empty());
    }
}
