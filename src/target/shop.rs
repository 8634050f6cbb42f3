//! The shop itself: what its pages answer, and what it remembers.
//!
//! A page, an id, a query or a body flow in, an [`Answer`] flows out; no clock, no sockets. The invariant: memory is
//! bounded, since tokens carry their own proof and only the most recent orders are kept.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use xxhash_rust::xxh64::xxh64;

use super::options::Page;

/// Items there are: their ids begin at 1.
pub const ITEMS: u64 = 500;
/// Orders that are remembered.
const ORDERS_KEPT: usize = 10_000;
/// Writes that are remembered. Another one is refused: to forget one would look as if it had been lost.
const WRITES_KEPT: usize = 500_000;
/// Orders that `/events` shows.
const EVENTS_SHOWN: usize = 50;
/// Longest sku that is taken, bytes.
const LONGEST_SKU: usize = 64;

/// What a request is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// What the body is.
    pub kind: &'static str,
    /// The body.
    pub body: Bytes,
    /// A session cookie to set.
    pub token: Option<String>,
    /// The methods that the path takes, with a 405.
    pub allow: Option<&'static str>,
}

impl Answer {
    /// An answer of JSON.
    pub fn json(status: u16, value: &impl Serialize) -> Self {
        // Text keys and finite numbers always serialize; were it not so, the body would be empty.
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self::new(status, "application/json", body)
    }

    /// An answer of another type.
    pub fn new(status: u16, kind: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            kind,
            body: body.into(),
            token: None,
            allow: None,
        }
    }

    /// An error, as JSON with one member `error`.
    pub fn error(status: u16, what: &str) -> Self {
        Self::json(status, &json!({ "error": what }))
    }
}

/// What a request brings along.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The id in the path.
    pub id: &'a str,
    /// What follows the question mark.
    pub query: &'a str,
    /// The token of an `Authorization: Bearer` header or of the session cookie.
    pub token: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// How often a write is kept: once, unless an operator broke it.
    pub copies: u64,
}

/// The shop.
#[derive(Debug)]
pub struct Shop {
    seed: u64,
    home: Bytes,
    /// The most recent orders, oldest first; their ids are consecutive.
    orders: VecDeque<Order>,
    /// Orders ever placed, which is the id of the last.
    placed: u64,
    /// What `POST /ledger` wrote: id, and how often.
    writes: HashMap<u64, u64>,
}

#[derive(Debug, Serialize)]
struct Order {
    id: u64,
    sku: String,
    at_ms: u64,
}

#[derive(Deserialize)]
struct Credentials {
    user: String,
    password: String,
}

/// A number, or a text that a template made of one.
#[derive(Deserialize)]
#[serde(untagged)]
enum TextOrNumber {
    Number(u64),
    Text(String),
}

impl TextOrNumber {
    fn into_text(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text,
        }
    }
}

#[derive(Deserialize)]
struct Wanted {
    sku: TextOrNumber,
    quantity: Option<TextOrNumber>,
}

#[derive(Deserialize)]
struct Numbered {
    id: TextOrNumber,
}

impl Shop {
    /// A shop without orders. Its tokens are valid in every shop of the same seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            home: Bytes::from_static(
                b"<!doctype html><title>Shop</title><h1>Shop</h1><form action=/search><input name=q></form>\n",
            ),
            orders: VecDeque::new(),
            placed: 0,
            writes: HashMap::new(),
        }
    }

    /// Orders placed since the start.
    pub fn placed(&self) -> u64 {
        self.placed
    }

    /// Answers a request.
    pub fn answer(&mut self, page: Page, asked: Asked<'_>) -> Answer {
        match page {
            Page::Home => Answer::new(200, "text/html; charset=utf-8", self.home.clone()),
            Page::Search => self.search(asked.query),
            Page::Item => item(asked.id),
            Page::Login => self.login(asked.body),
            Page::Cart => self.cart(asked),
            Page::Order => self.order(asked),
            Page::Receipt => self.receipt(asked.id),
            Page::Write => self.write(asked),
            Page::Written => self.written(asked.id),
            Page::Events => {
                let shown: Vec<&Order> = self.orders.iter().rev().take(EVENTS_SHOWN).collect();
                Answer::json(200, &json!({ "events": shown }))
            }
        }
    }

    fn search(&self, query: &str) -> Answer {
        let wanted = url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == "q")
            .map_or(String::new(), |(_, value)| value.into_owned());
        let first = xxh64(wanted.to_lowercase().as_bytes(), self.seed);
        let results: Vec<_> = (0..10)
            .map(|rank| {
                let id = (first.wrapping_add(rank * 37)) % ITEMS + 1;
                json!({ "id": id, "name": name_of(id), "price": price_of(id) })
            })
            .collect();
        Answer::json(200, &json!({ "query": wanted, "results": results }))
    }

    fn login(&self, body: &[u8]) -> Answer {
        match serde_json::from_slice::<Credentials>(body) {
            Ok(who) if who.user.is_empty() || who.password.is_empty() => {
                Answer::error(401, "user and password must not be empty")
            }
            Ok(who) => {
                let token = self.token_of(xxh64(who.user.as_bytes(), self.seed));
                let mut answer = Answer::json(200, &json!({ "token": token }));
                answer.token = Some(token);
                answer
            }
            Err(error) => Answer::error(400, &format!("user and password as JSON: {error}")),
        }
    }

    fn cart(&self, asked: Asked<'_>) -> Answer {
        if !asked.token.is_some_and(|token| self.knows(token)) {
            return Answer::error(401, "log in first: POST /login gives a token and a cookie");
        }
        let wanted = match wanted(asked.body) {
            Ok(wanted) => wanted,
            Err(answer) => return answer,
        };
        let quantity = match wanted.quantity {
            None => 1,
            Some(TextOrNumber::Number(number)) => number,
            Some(TextOrNumber::Text(text)) => text.parse().unwrap_or(0),
        };
        if quantity == 0 || quantity > 1000 {
            return Answer::error(422, "quantity must be from 1 to 1000");
        }
        Answer::json(
            200,
            &json!({ "sku": wanted.sku.into_text(), "quantity": quantity }),
        )
    }

    fn order(&mut self, asked: Asked<'_>) -> Answer {
        let wanted = match wanted(asked.body) {
            Ok(wanted) => wanted,
            Err(answer) => return answer,
        };
        self.placed += 1;
        let order = Order {
            id: self.placed,
            sku: wanted.sku.into_text(),
            at_ms: asked.at_ms,
        };
        let answer = Answer::json(201, &json!({ "id": order.id, "sku": order.sku }));
        if self.orders.len() == ORDERS_KEPT {
            self.orders.pop_front();
        }
        self.orders.push_back(order);
        answer
    }

    fn receipt(&self, id: &str) -> Answer {
        let oldest = self.placed + 1 - self.orders.len() as u64;
        let order = id
            .parse::<u64>()
            .ok()
            .and_then(|id| id.checked_sub(oldest))
            .and_then(|index| self.orders.get(usize::try_from(index).ok()?));
        match order {
            Some(order) => Answer::json(200, order),
            None => Answer::error(404, "no such order among the recent ones"),
        }
    }

    /// Keeps an id as often as it is written; that of a broken shop may say so and not do it.
    fn write(&mut self, asked: Asked<'_>) -> Answer {
        let id = serde_json::from_slice::<Numbered>(asked.body)
            .ok()
            .and_then(|wanted| wanted.id.into_text().parse::<u64>().ok());
        let Some(id) = id else {
            return Answer::error(400, "an id as JSON: a whole number");
        };
        if self.writes.len() >= WRITES_KEPT {
            return Answer::error(507, "no more than 500000 ids are kept");
        }
        if asked.copies > 0 {
            *self.writes.entry(id).or_default() += asked.copies;
        }
        Answer::json(201, &json!({ "id": id }))
    }

    fn written(&self, id: &str) -> Answer {
        let found = id
            .parse::<u64>()
            .ok()
            .and_then(|id| self.writes.get_key_value(&id));
        match found {
            Some((id, count)) => Answer::json(200, &json!({ "id": id, "count": count })),
            None => Answer::error(404, "this id was not written"),
        }
    }

    /// Who, and a hash of who with the seed: enough to tell a token from none in a demo, no protection of anything.
    fn token_of(&self, who: u64) -> String {
        let proof = xxh64(&who.to_le_bytes(), self.seed);
        format!("{who:016x}{proof:016x}")
    }

    fn knows(&self, token: &str) -> bool {
        token
            .get(..16)
            .and_then(|who| u64::from_str_radix(who, 16).ok())
            .is_some_and(|who| self.token_of(who) == token)
    }
}

fn item(id: &str) -> Answer {
    match id.parse::<u64>() {
        Ok(id) if (1..=ITEMS).contains(&id) => Answer::json(
            200,
            &json!({ "id": id, "name": name_of(id), "price": price_of(id) }),
        ),
        Ok(_) | Err(_) => Answer::error(404, "no such item; there are 1 to 500"),
    }
}

fn name_of(id: u64) -> String {
    const COLOURS: [&str; 5] = ["red", "green", "blue", "white", "black"];
    const THINGS: [&str; 4] = ["lamp", "chair", "table", "shelf"];
    let colour = COLOURS[(id % 5) as usize];
    let thing = THINGS[(id / 5 % 4) as usize];
    format!("{colour} {thing} {id}")
}

fn price_of(id: u64) -> f64 {
    (id * 7919 % 20_000 + 100) as f64 / 100.0
}

fn wanted(body: &[u8]) -> Result<Wanted, Answer> {
    let wanted: Wanted = serde_json::from_slice(body)
        .map_err(|error| Answer::error(400, &format!("a sku as JSON: {error}")))?;
    match &wanted.sku {
        TextOrNumber::Text(sku) if sku.is_empty() || sku.len() > LONGEST_SKU => {
            Err(Answer::error(422, "a sku has 1 to 64 characters"))
        }
        TextOrNumber::Text(_) | TextOrNumber::Number(_) => Ok(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(shop: &mut Shop, page: Page, body: &str, token: Option<&str>) -> Answer {
        let asked = Asked {
            body: body.as_bytes(),
            token,
            ..Asked::default()
        };
        shop.answer(page, asked)
    }

    #[test]
    fn only_recent_orders_are_kept_and_found_by_their_id() {
        let mut shop = Shop::new(1);
        for count in 0..ORDERS_KEPT + 5 {
            let body = format!(r#"{{"sku": {count}}}"#);
            assert_eq!(post(&mut shop, Page::Order, &body, None).status, 201);
        }
        assert_eq!(shop.orders.len(), ORDERS_KEPT);
        for (id, status) in [
            ("5", 404),
            ("6", 200),
            ("10005", 200),
            ("10006", 404),
            ("0", 404),
            ("x", 404),
        ] {
            let asked = Asked {
                id,
                ..Asked::default()
            };
            assert_eq!(shop.answer(Page::Receipt, asked).status, status, "{id}");
        }
    }

    #[test]
    fn a_token_opens_the_cart_of_a_shop_of_the_same_seed_only() {
        let body = r#"{"user": "ann", "password": "x"}"#;
        let token = post(&mut Shop::new(1), Page::Login, body, None)
            .token
            .unwrap();
        let add = r#"{"sku": "7", "quantity": "2"}"#;
        let status = |seed, token| post(&mut Shop::new(seed), Page::Cart, add, token).status;
        assert_eq!(status(1, Some(&*token)), 200);
        assert_eq!(status(2, Some(&*token)), 401);
        assert_eq!(status(1, Some("ü")), 401);
        assert_eq!(status(1, None), 401);
    }

    #[test]
    fn what_is_no_order_is_refused() {
        let mut shop = Shop::new(1);
        let long = format!(r#"{{"sku": "{}"}}"#, "x".repeat(65));
        for (body, status) in [
            ("", 400),
            ("{}", 400),
            (r#"{"sku": ""}"#, 422),
            (&*long, 422),
        ] {
            assert_eq!(
                post(&mut shop, Page::Order, body, None).status,
                status,
                "{body}"
            );
        }
        assert_eq!(shop.placed(), 0);
    }
}
