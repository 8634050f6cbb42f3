//! What a template can call: generators, filters, tests.
//!
//! In: a user's generator, number and iteration, which [`with`] puts in place for the time of one rendering. Out:
//! values. The invariant: nothing here draws from anything but the user's own generator (`counter()` and the clock
//! functions apart), so that a seed and a number decide every value.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fake::Fake;
use fake::faker::{address::en as address, internet::en as internet, lorem::en as lorem};
use fake::faker::{name::en as names, phone_number::en as phones};
use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value, functions};
use rand::RngExt;
use rand_distr::{Distribution, Zipf};

use super::super::random::{self, Rng};
use super::CAP;

/// What the functions know about the user whose request is rendered.
#[derive(Debug)]
pub(in super::super) struct Ambient {
    pub(in super::super) rng: Rng,
    pub(in super::super) number: u64,
    pub(in super::super) iteration: u64,
}

thread_local! {
    /// The user being rendered on this thread. Rendering never awaits, so there is one at a time.
    static AMBIENT: RefCell<Ambient> = RefCell::new(Ambient { rng: random::rng(0), number: 0, iteration: 0 });
}

/// Runs `render` with the functions drawing from `ambient`; two swaps of 48 bytes.
pub(in super::super) fn with<T>(ambient: &mut Ambient, render: impl FnOnce() -> T) -> T {
    let swap = |ambient: &mut Ambient| {
        AMBIENT.with_borrow_mut(|current| std::mem::swap(current, ambient));
    };
    swap(ambient);
    let result = render();
    swap(ambient);
    result
}

fn draw<T>(from: impl FnOnce(&mut Rng) -> T) -> T {
    AMBIENT.with_borrow_mut(|ambient| from(&mut ambient.rng))
}

fn wrong(sentence: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, sentence.into())
}

/// Names that can be called, for validation.
pub(super) const FUNCTIONS: [&str; 22] = [
    "uuid",
    "random_int",
    "random_float",
    "random_string",
    "choice",
    "zipf",
    "name",
    "first_name",
    "last_name",
    "email",
    "word",
    "sentence",
    "phone",
    "city",
    "now",
    "timestamp",
    "timestamp_ms",
    "counter",
    "user_number",
    "iteration",
    "product",
    "range",
];

/// Adds every function. `counter` is shared by all workers of a scenario.
pub(super) fn add(env: &mut Environment<'static>, counter: &Arc<AtomicU64>) {
    env.add_function("uuid", || draw(uuid));
    env.add_function("random_int", random_int);
    env.add_function("random_float", random_float);
    env.add_function("random_string", random_string);
    env.add_function("choice", choice);
    env.add_function("zipf", zipf);
    env.add_function("name", || {
        draw(|rng| names::Name().fake_with_rng::<String, _>(rng))
    });
    env.add_function("first_name", || {
        draw(|rng| names::FirstName().fake_with_rng::<String, _>(rng))
    });
    env.add_function("last_name", || {
        draw(|rng| names::LastName().fake_with_rng::<String, _>(rng))
    });
    env.add_function("email", || {
        draw(|rng| internet::SafeEmail().fake_with_rng::<String, _>(rng))
    });
    env.add_function("word", || {
        draw(|rng| lorem::Word().fake_with_rng::<String, _>(rng))
    });
    env.add_function("sentence", || {
        draw(|rng| lorem::Sentence(5..11).fake_with_rng::<String, _>(rng))
    });
    env.add_function("phone", || {
        draw(|rng| phones::PhoneNumber().fake_with_rng::<String, _>(rng))
    });
    env.add_function("city", || {
        draw(|rng| address::CityName().fake_with_rng::<String, _>(rng))
    });
    env.add_function("now", || format!("{:.3}", jiff::Timestamp::now()));
    env.add_function("timestamp", || jiff::Timestamp::now().as_second());
    env.add_function("timestamp_ms", || jiff::Timestamp::now().as_millisecond());
    let counter = Arc::clone(counter);
    env.add_function("counter", move || {
        counter.fetch_add(1, Ordering::Relaxed) + 1
    });
    env.add_function("user_number", || {
        AMBIENT.with_borrow(|ambient| ambient.number)
    });
    env.add_function("iteration", || {
        AMBIENT.with_borrow(|ambient| ambient.iteration)
    });
    env.add_function("product", product);
    env.add_function("range", range);
}

/// A version 4 UUID.
fn uuid(rng: &mut Rng) -> String {
    let bits: u128 = rng.random();
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (4 << 76) | (2 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        bits >> 96,
        (bits >> 80) & 0xffff,
        (bits >> 64) & 0xffff,
        (bits >> 48) & 0xffff,
        bits & 0xffff_ffff_ffff
    )
}

fn random_int(low: i64, high: i64) -> Result<i64, Error> {
    if low > high {
        return Err(wrong(format!(
            "random_int({low}, {high}): the first is above the second"
        )));
    }
    Ok(draw(|rng| rng.random_range(low..=high)))
}

fn random_float(low: f64, high: f64) -> Result<f64, Error> {
    if !(low <= high && (high - low).is_finite()) {
        return Err(wrong(format!(
            "random_float({low}, {high}): the first is above the second"
        )));
    }
    Ok(draw(|rng| low + (high - low) * rng.random::<f64>()))
}

fn random_string(length: usize) -> Result<String, Error> {
    if length > CAP {
        return Err(wrong(format!("random_string({length}): at most {CAP}")));
    }
    Ok(draw(|rng| {
        (0..length)
            .map(|_| char::from(rng.sample(rand::distr::Alphanumeric)))
            .collect()
    }))
}

/// One of a list, or of the arguments.
#[allow(clippy::needless_pass_by_value)] // the engine hands its arguments over by value
fn choice(of: Rest<Value>) -> Result<Value, Error> {
    let list: Vec<Value> = match of.as_slice() {
        [one] if matches!(one.kind(), ValueKind::Seq | ValueKind::Iterable) => {
            one.try_iter()?.collect()
        }
        several => several.to_vec(),
    };
    if list.is_empty() {
        return Err(wrong("choice() of nothing"));
    }
    let place = draw(|rng| rng.random_range(0..list.len()));
    Ok(list[place].clone())
}

/// Setting the distribution up is one `powf`, cheaper than looking it up would be.
fn zipf(n: u64, exponent: f64) -> Result<u64, Error> {
    if n == 0 || !(exponent >= 0.0 && exponent.is_finite()) {
        return Err(wrong(format!(
            "zipf({n}, {exponent}): needs n of at least 1 and an exponent of at least 0"
        )));
    }
    let zipf = Zipf::new(n as f64, exponent).map_err(|error| wrong(error.to_string()))?;
    Ok((draw(|rng| zipf.sample(rng)) as u64).clamp(1, n))
}

fn product(a: Value, b: Value) -> Result<Value, Error> {
    if let (Ok(a), Ok(b)) = (i64::try_from(a.clone()), i64::try_from(b.clone())) {
        return a
            .checked_mul(b)
            .map(Value::from)
            .ok_or_else(|| wrong("product() is too large"));
    }
    match (f64::try_from(a), f64::try_from(b)) {
        (Ok(a), Ok(b)) => Ok(Value::from(a * b)),
        _ => Err(wrong("product() takes two numbers")),
    }
}

fn range(low: isize, high: Option<isize>, step: Option<isize>) -> Result<Value, Error> {
    let (from, to) = high.map_or((0, low), |high| (low, high));
    if from.abs_diff(to) > 10_000 {
        return Err(wrong("range() goes over 10000 numbers at most"));
    }
    functions::range(low, high, step)
}
