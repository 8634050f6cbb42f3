//! From a profile's journeys to programs.
//!
//! In: a profile and the place of a scenario in it. Out: a [`Program`], or everything that is wrong, each complaint
//! with journey, step and field. The invariant: a program that exists fails only by what data or servers say.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use minijinja::Environment;
use url::Url;

use super::check::Checks;
use super::feed::Feeds;
use super::pick::Weights;
use super::read_back::{LEDGER, ReadBack};
use super::save::{Saver, header_name, json_path};
use super::step::{BodyPlan, CompiledStep, Plan, UrlPlan, header_value, uri};
use super::template::{self, Compiler, Known, Pattern, is_template};
use super::{JourneyError, random};
use crate::profile::model::{Body, Journey, Ledger, Profile, Scenario, Step, ThinkTime};
use crate::profile::secret::Text;

/// Most of a body that a check looks at, bytes.
const LARGEST_CHECKED: u64 = 10 << 20;
/// Largest file sent as a body, bytes.
const LARGEST_FILE: u64 = 256 << 20;

/// All journeys of one scenario, compiled; shared by workers behind an `Arc`.
#[derive(Debug)]
pub struct Program {
    /// In the order of the scenario's shares.
    pub journeys: Vec<CompiledJourney>,
    weights: Weights,
}

/// One journey.
#[derive(Debug)]
pub struct CompiledJourney {
    /// Its name.
    pub name: String,
    /// Its weight.
    pub weight: u32,
    /// Steps.
    pub steps: Vec<CompiledStep>,
    /// Indexes of the data feeds it uses.
    pub(super) feeds: Vec<usize>,
    /// Columns it uses: index of the feed, column.
    pub(super) columns: BTreeSet<(usize, String)>,
    /// Makes two scenarios with one seed differ.
    pub(super) salt: u64,
}

impl Program {
    /// Compiles one scenario. `first_step`: index of its first step in `names.steps`; steps are numbered in order of shares, then steps.
    pub fn compile(
        profile: &Profile,
        scenario: usize,
        first_step: usize,
    ) -> Result<Self, Vec<JourneyError>> {
        let Some(scenario) = profile.scenarios.get(scenario) else {
            return Err(vec![JourneyError(format!(
                "there is no scenario number {scenario}"
            ))]);
        };
        let counter = Arc::new(AtomicU64::new(0));
        let mut builder = Builder {
            scenario,
            feeds: profile.data.iter().map(|feed| feed.name.clone()).collect(),
            env: template::environment(&counter),
            base: base_url(scenario.target.reveal()),
            next_step: first_step,
            errors: Vec::new(),
        };
        let mut journeys = Vec::with_capacity(scenario.journeys.len());
        for share in &scenario.journeys {
            match profile.journeys.get(share.journey) {
                Some(journey) => journeys.extend(builder.journey(journey, share.weight)),
                None => builder.errors.push(JourneyError(format!(
                    "scenario `{}`: there is no journey number {}",
                    scenario.name, share.journey
                ))),
            }
        }
        if journeys.is_empty() && builder.errors.is_empty() {
            builder.errors.push(JourneyError(format!(
                "scenario `{}` has no journey",
                scenario.name
            )));
        }
        if !builder.errors.is_empty() {
            return Err(builder.errors);
        }
        let weights = Weights::new(
            journeys.iter().map(|journey| journey.weight),
            random::salt(&scenario.name),
        );
        Ok(Self { journeys, weights })
    }

    /// Picks a journey for arrival or iteration `number` of this scenario: a pure function of seed and number.
    pub fn pick(&self, seed: u64, number: u64) -> usize {
        self.weights.pick(seed, number)
    }

    /// Whether every column that the templates name is in its file.
    pub fn check_feeds(&self, feeds: &Feeds) -> Result<(), Vec<JourneyError>> {
        let mut errors = Vec::new();
        for journey in &self.journeys {
            for (place, column) in &journey.columns {
                let Some(feed) = feeds.feeds.get(*place) else {
                    continue;
                };
                if !feed.columns().any(|known| known == column) {
                    let columns: Vec<_> = feed
                        .columns()
                        .take(20)
                        .map(|name| format!("`{name}`"))
                        .collect();
                    errors.push(JourneyError(format!(
                        "journey `{}`: data `{}` has no column `{column}`; there are {}",
                        journey.name,
                        feed.name,
                        columns.join(", ")
                    )));
                }
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }
}

impl ReadBack {
    /// Compiles how the writes of a ledger are read back: as the scenario that writes them would.
    ///
    /// # Errors
    /// With every mistake that was found, not only the first.
    pub fn compile(ledger: &Ledger, scenario: &Scenario) -> Result<Self, Vec<JourneyError>> {
        let builder = Builder {
            scenario,
            feeds: Vec::new(),
            env: template::environment(&Arc::default()),
            base: base_url(scenario.target.reveal()),
            next_step: 0,
            errors: Vec::new(),
        };
        let known = Known {
            feeds: Vec::new(),
            saved: vec![LEDGER.to_owned()],
        };
        let place: Arc<str> = format!("ledger `{}`", ledger.name).into();
        let mistakes = |found: Complaints| -> Vec<JourneyError> {
            let sentence = |(field, what)| JourneyError(format!("{place}: {field}: {what}"));
            found.into_iter().map(sentence).collect()
        };
        let mut step = builder
            .step(&ledger.read, &place, &known, &mut BTreeSet::new())
            .map_err(mistakes)?;
        let count = ledger.count.as_deref().map(json_path).transpose();
        let count = count.map_err(|what| mistakes(vec![("count".to_owned(), what)]))?;
        if count.is_some() {
            step.keep = LARGEST_CHECKED;
        }
        Ok(Self {
            name: ledger.name.clone(),
            step,
            rate: ledger.rate,
            count,
        })
    }
}

/// Where the scenario's paths go, as far as cookies care.
fn base_url(target: &str) -> Option<Arc<Url>> {
    let url = Url::parse(target)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"));
    url.or_else(|| Url::parse("http://localhost/").ok())
        .map(Arc::new)
}

struct Builder<'a> {
    scenario: &'a Scenario,
    feeds: Vec<String>,
    env: Environment<'static>,
    base: Option<Arc<Url>>,
    next_step: usize,
    errors: Vec<JourneyError>,
}

/// A field and what is wrong with it.
type Complaints = Vec<(String, String)>;

impl Builder<'_> {
    fn journey(&mut self, journey: &Journey, weight: u32) -> Option<CompiledJourney> {
        let mut known = Known {
            feeds: self.feeds.clone(),
            saved: Vec::new(),
        };
        let (mut steps, mut used) = (Vec::with_capacity(journey.steps.len()), BTreeSet::new());
        for (i, step) in journey.steps.iter().enumerate() {
            let between = if i + 1 == journey.steps.len() {
                ThinkTime::None
            } else {
                journey.think
            };
            let place: Arc<str> =
                format!("journey `{}`, step `{}`", journey.name, step.name).into();
            if step.ledger.is_some() {
                known.saved.push(LEDGER.to_owned());
            }
            match self.step(step, &place, &known, &mut used) {
                Ok(mut compiled) => {
                    compiled.ledger = step.ledger.map(|ledger| (ledger, LEDGER.into()));
                    compiled.think = step.think.unwrap_or(between);
                    steps.push(compiled);
                }
                Err(found) => self.errors.extend(
                    found
                        .into_iter()
                        .map(|(field, what)| JourneyError(format!("{place}: {field}: {what}"))),
                ),
            }
            self.next_step += 1;
            known
                .saved
                .extend(step.save.iter().map(|(name, _)| name.clone()));
        }
        if steps.len() < journey.steps.len() || steps.is_empty() {
            if journey.steps.is_empty() {
                self.errors.push(JourneyError(format!(
                    "journey `{}` has no step",
                    journey.name
                )));
            }
            return None;
        }
        let split = |path: &String| {
            let mut parts = path.split('.');
            let name = parts.next()?;
            let place = self.feeds.iter().position(|feed| feed == name)?;
            Some((place, parts.next().map(str::to_owned)))
        };
        let used: Vec<_> = used.iter().filter_map(split).collect();
        let feeds: BTreeSet<_> = used.iter().map(|(place, _)| *place).collect();
        Some(CompiledJourney {
            name: journey.name.clone(),
            weight,
            steps,
            feeds: feeds.into_iter().collect(),
            columns: used
                .into_iter()
                .filter_map(|(place, column)| Some((place, column?)))
                .collect(),
            salt: random::salt(&self.scenario.name),
        })
    }

    fn step(
        &self,
        step: &Step,
        place: &Arc<str>,
        known: &Known,
        used: &mut BTreeSet<String>,
    ) -> Result<CompiledStep, Complaints> {
        let mut found = Complaints::new();
        let mut compiler = Compiler::new(self.env.clone(), known);
        let method = note(&mut found, "method", method(&step.method));
        let url = note(&mut found, "url", url(&mut compiler, &step.url));
        let (headers, filled) = self.headers(&mut compiler, step, &mut found);
        let body = note(&mut found, "body", body(&mut compiler, &step.body));
        let checks = Checks::compile(&step.expect).map_err(|errors| {
            found.extend(
                errors
                    .into_iter()
                    .map(|(field, what)| (field.to_owned(), what)),
            );
        });
        let savers: Vec<_> = step
            .save
            .iter()
            .filter_map(|(name, save)| {
                note(
                    &mut found,
                    &format!("save.{name}"),
                    Saver::compile(name, save),
                )
            })
            .collect();
        used.append(&mut compiler.used);
        let (Some(method), Some(url), Some(body), Ok(checks), true) =
            (method, url, body, checks, found.is_empty())
        else {
            return Err(found);
        };
        let looks = checks.needs_body() || savers.iter().any(Saver::needs_body);
        Ok(CompiledStep {
            index: self.next_step,
            optional: step.optional,
            think: ThinkTime::None,
            ledger: None,
            timeout: step.timeout.unwrap_or(self.scenario.timeout),
            keep: if looks {
                self.scenario.max_body.min(LARGEST_CHECKED)
            } else {
                0
            },
            place: Arc::clone(place),
            plan: Plan {
                env: compiler.env,
                method,
                url,
                headers,
                filled,
                body,
                trace: self.scenario.trace,
                base: self.base.clone(),
            },
            checks,
            savers,
        })
    }

    /// The scenario's headers and the step's own, which replace those of the same name.
    fn headers(
        &self,
        compiler: &mut Compiler<'_>,
        step: &Step,
        found: &mut Complaints,
    ) -> (HeaderMap, Vec<(HeaderName, Pattern)>) {
        let own = |name: &str| {
            step.headers
                .iter()
                .any(|(own, _)| own.eq_ignore_ascii_case(name))
        };
        let inherited = self.scenario.headers.iter().filter(|(name, _)| !own(name));
        let (mut headers, mut filled) = (HeaderMap::new(), Vec::new());
        for (name, value) in inherited.chain(&step.headers) {
            let field = format!("header `{name}`");
            let Some(name) = note(found, &field, header_name(name)) else {
                continue;
            };
            let value = value.reveal();
            if is_template(value) {
                if let Some(pattern) = note(found, &field, compiler.text(value)) {
                    filled.push((name, pattern));
                }
            } else if let Some(value) = note(found, &field, header_value(value.as_bytes())) {
                headers.append(name, value);
            }
        }
        let content = match step.body {
            Body::Json(_) => Some("application/json"),
            Body::Form(_) => Some("application/x-www-form-urlencoded"),
            Body::None | Body::Text(_) | Body::File(_) => None,
        };
        let said = headers.contains_key(CONTENT_TYPE)
            || filled.iter().any(|(name, _)| name == CONTENT_TYPE);
        if let Some(content) = content.filter(|_| !said) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content));
        }
        (headers, filled)
    }
}

fn note<T>(found: &mut Complaints, field: &str, result: Result<T, String>) -> Option<T> {
    result
        .map_err(|what| found.push((field.to_owned(), what)))
        .ok()
}

fn method(name: &str) -> Result<Method, String> {
    Method::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not an HTTP method"))
}

fn url(compiler: &mut Compiler<'_>, text: &Text) -> Result<UrlPlan, String> {
    if is_template(text.reveal()) {
        return compiler.text(text.reveal()).map(UrlPlan::Filled);
    }
    // A fragment is never sent.
    let whole = text.reveal().split('#').next().unwrap_or_default();
    uri(whole)
        .map(UrlPlan::Fixed)
        .map_err(|why| format!("`{text}` {why}"))
}

fn body(compiler: &mut Compiler<'_>, body: &Body) -> Result<BodyPlan, String> {
    let pattern = match body {
        Body::None => return Ok(BodyPlan::Fixed(Bytes::new())),
        Body::File(path) => return file(path).map(BodyPlan::Fixed),
        Body::Text(text) if !is_template(text.reveal()) => {
            return Ok(BodyPlan::Fixed(Bytes::copy_from_slice(
                text.reveal().as_bytes(),
            )));
        }
        Body::Text(text) => compiler.text(text.reveal())?,
        Body::Json(text) => compiler.json(text.reveal())?,
        Body::Form(pairs) => compiler.form(
            pairs
                .iter()
                .map(|(name, value)| (name.as_str(), value.reveal())),
        )?,
    };
    Ok(match pattern.fixed() {
        Some(text) => BodyPlan::Fixed(Bytes::copy_from_slice(text.as_bytes())),
        None => BodyPlan::Filled(pattern),
    })
}

fn file(path: &Path) -> Result<Bytes, String> {
    let shown = path.display();
    let cannot = |error: std::io::Error| format!("{shown} cannot be read: {error}");
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(cannot)?
        .take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(format!(
            "{shown} is larger than 256 MiB, the most that a body may have"
        ));
    }
    Ok(bytes.into())
}
