//! What is watched, and how it is: whether each target answers, how long its last scrape took, what came of it.
//!
//! In: the plan, the series that a scrape says of itself, and the events of targets. Out: a line a target, the endpoints
//! that are down named first. The invariant: what a line says is what was recorded; an endpoint that nothing is known of
//! is neither up nor down.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Scene;
use crate::console::moment::moment;
use crate::console::table::{Cell, Column, Table};
use crate::console::text::{clean, note};
use crate::console::theme::Theme;
use crate::history::History;
use crate::session::record::{Happening, Names, OF_SCRAPES as OWN};
use crate::verdict::format;
use crate::verdict::labels::labels;

const UP: usize = 0;
const TOOK: usize = 1;
const SAMPLES: usize = 2;
const BAD: usize = 3;
const MISSED: usize = 4;

/// One endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint<'a> {
    /// Its address.
    pub instance: &'a str,
    /// Whether it answers; `None` before the first try.
    pub up: Option<bool>,
    /// What its last scrape said of itself, as in [`OWN`].
    own: [Option<f64>; OWN.len()],
    /// Since when it is so, µs since the window began.
    pub since: Option<u64>,
    /// Why it does not answer.
    pub why: &'a str,
}

/// One target, which is one endpoint or several.
#[derive(Debug, Clone, PartialEq)]
pub struct Target<'a> {
    /// Its name.
    pub name: &'a str,
    /// How it is watched.
    pub kind: &'a str,
    /// Where it is.
    pub url: &'a str,
    /// Its endpoints, in the order in which they were first seen.
    pub endpoints: Vec<Endpoint<'a>>,
}

/// Every target of the window, in the order of the profile.
pub fn all(history: &History) -> Vec<Target<'_>> {
    let plans = history.window().map_or(&[][..], |window| &window.targets);
    let mut targets: Vec<Target<'_>> = plans
        .iter()
        .map(|plan| Target {
            name: &plan.name,
            kind: &plan.kind,
            url: &plan.url,
            endpoints: Vec::new(),
        })
        .collect();
    if targets.is_empty() {
        return targets;
    }
    let instances = &history.names().instances;
    for (instance, endpoint) in instances.iter().zip(endpoints(history)) {
        let target = targets.iter_mut().find(|plan| plan.name == instance.target);
        if let (Some(target), Some(endpoint)) = (target, endpoint) {
            target.endpoints.push(endpoint);
        }
    }
    targets
}

/// Each endpoint by its index; `None` for one that is no longer scraped.
fn endpoints(history: &History) -> Vec<Option<Endpoint<'_>>> {
    let names = history.names();
    let own = own_series(names);
    let mut latest = vec![None; names.instances.len()];
    for event in history.events() {
        if let Happening::Target { instance, up, text } = &event.what
            && let Some(latest) = latest.get_mut(*instance)
        {
            *latest = Some((event.at, *up, text.as_str()));
        }
    }
    let each = names.instances.iter().zip(own).zip(latest);
    each.map(|((instance, own), latest)| {
        let value = |which: usize| own[which].and_then(|index| history.series(index));
        let up = match own[UP] {
            // Its series has ended.
            Some(_) if value(UP).is_none() && latest.is_some() => return None,
            Some(_) => value(UP).map(|up| up > 0.5),
            None => latest.map(|(_, up, _)| up),
        };
        let told = latest.filter(|&(_, was, _)| Some(was) == up);
        Some(Endpoint {
            instance: &instance.instance,
            up,
            own: std::array::from_fn(value),
            since: told.map(|(at, ..)| at),
            why: told.map_or("", |(.., why)| why),
        })
    })
    .collect()
}

/// For each instance the series in which a scrape says something of itself. One look at each name.
fn own_series(names: &Names) -> Vec<[Option<usize>; OWN.len()]> {
    let mut own = vec![[None; OWN.len()]; names.instances.len()];
    for (index, name) in names.series.iter().enumerate() {
        let Some(at) = names.instance_of(index) else {
            continue;
        };
        let which = OWN.iter().position(|metric| {
            let rest = name.strip_prefix(metric);
            rest.is_some_and(|rest| rest.starts_with('{'))
        });
        let (Some(which), Some(instance)) = (which, names.instances.get(at)) else {
            continue;
        };
        // A target may tell of others under the same names.
        let labels = labels(&name[OWN[which].len()..]).unwrap_or_default();
        let is = |label: &str, value: &str| labels.get(label).is_some_and(|own| own == value);
        if is("instance", &instance.instance) && is("job", &instance.target) {
            own[at][which].get_or_insert(index);
        }
    }
    own
}

/// How many targets have an endpoint that does not answer, in words: `1 target down`.
pub fn alarm(history: &History) -> Option<String> {
    match down(&all(history)) {
        0 => None,
        1 => Some("1 target down".to_owned()),
        count => Some(format!("{count} targets down")),
    }
}

fn down(targets: &[Target<'_>]) -> usize {
    let is_down = |target: &&Target<'_>| target.down().next().is_some();
    targets.iter().filter(is_down).count()
}

/// Its title.
pub fn title(scene: &Scene<'_>) -> String {
    match down(&all(scene.history)) {
        0 => "targets".to_owned(),
        count => format!("targets {} {count} down", scene.theme.glyphs.dot),
    }
}

/// Lines that it wants; 0 when nothing is watched.
pub fn height(scene: &Scene<'_>) -> u16 {
    let window = scene.history.window();
    match window.map_or(0, |window| window.targets.len()) {
        0 => 0,
        targets => targets as u16 + 1,
    }
}

impl<'a> Target<'a> {
    fn down(&self) -> impl Iterator<Item = &Endpoint<'a>> {
        let endpoints = self.endpoints.iter();
        endpoints.filter(|endpoint| endpoint.up == Some(false))
    }

    /// Glyph, word and style of its state.
    fn state(&self, theme: &Theme) -> (&'static str, String, Style) {
        let glyphs = &theme.glyphs;
        let up = self.endpoints.iter().filter(|one| one.up == Some(true));
        let (all, up, down) = (self.endpoints.len(), up.count(), self.down().count());
        let word = |one: &str| match all {
            0 | 1 => one.to_owned(),
            all => format!("{up}/{all} up"),
        };
        match (up, down) {
            (0, 0) => (glyphs.unknown, word("waiting"), theme.dim),
            (_, 0) => (glyphs.yes, word("up"), theme.good),
            (0, _) => (glyphs.no, word("down"), theme.bad),
            (..) => (glyphs.alert, word("down"), theme.warn),
        }
    }

    /// What its endpoints say, made one; `None` when none says it.
    fn said(&self, which: usize, join: fn(f64, f64) -> f64) -> Option<f64> {
        let said = self.endpoints.iter().filter_map(|one| one.own[which]);
        said.filter(|value| value.is_finite()).reduce(join)
    }

    /// Why it is down; of several endpoints which, and why each.
    fn why(&self) -> String {
        if self.endpoints.len() == 1 {
            return self.down().map(|one| one.why).collect();
        }
        let mut words = String::new();
        for one in self.down() {
            if !words.is_empty() {
                words += ", ";
            }
            words += one.instance;
            if !one.why.is_empty() {
                let _ = write!(words, " ({})", one.why);
            }
        }
        words
    }
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let mut targets = all(scene.history);
    if targets.len() >= usize::from(area.height) {
        // What has no room should be what is up.
        targets.sort_by_key(|target| target.down().next().is_none());
    }
    if targets.is_empty() {
        return note(buf, area, "nothing is watched in this window", scene.theme);
    }
    let mut table = Table::new(&[
        Column::word("", 0),
        Column::words("target", 0, 8).close(),
        Column::word("state", 0),
        Column::words("kind", 8, 6),
        Column::number("took", 5),
        Column::number("samples", 6),
        Column::number("bad", 4),
        Column::number("missed", 7),
        Column::number("since", 2),
        Column::number("for", 3),
        Column::words("", 1, 24),
    ]);
    let last = scene.history.last().map_or(0, |last| last.at);
    for target in &targets {
        table.row(row(scene, target, last));
    }
    table.draw(area, buf, scene.theme);
}

fn row<'a>(scene: &Scene<'_>, target: &Target<'_>, last: u64) -> Vec<Cell<'a>> {
    let theme = scene.theme;
    let (glyph, word, style) = target.state(theme);
    let number = |value: Option<f64>, text: fn(f64) -> String| match value {
        Some(value) => Cell::new(text(value), theme.text),
        None => Cell::new(format::unknown(), theme.dim),
    };
    // What should be none.
    let trouble = |value: Option<f64>| match value {
        Some(count) if count > 0.0 => Cell::new(format::count_short(count), theme.warn),
        Some(count) => Cell::new(format::count_short(count), theme.dim),
        None => Cell::new(format::unknown(), theme.dim),
    };
    let add = |a, b| a + b;
    let since = target.down().filter_map(|one| one.since).min();
    let lasted = since.map(|since| format::clock(last.saturating_sub(since)));
    let since = since.map(|since| moment(scene.history, since));
    let (why, of) = match target.why() {
        why if why.is_empty() => (target.url.to_owned(), theme.dim),
        why => (why, style),
    };
    vec![
        Cell::new(glyph, style),
        Cell::new(clean(target.name).into_owned(), theme.text),
        Cell::new(word, style),
        Cell::new(clean(target.kind).into_owned(), theme.dim),
        number(target.said(TOOK, f64::max), |took| {
            format::duration_short(took * 1e6)
        }),
        number(target.said(SAMPLES, add), format::count_short),
        trouble(target.said(BAD, add)),
        trouble(target.said(MISSED, add)),
        Cell::new(since.unwrap_or_default(), theme.text),
        Cell::new(lasted.unwrap_or_default(), theme.text),
        Cell::new(clean(&why).into_owned(), of),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::panel::fixture::{at_every_size, buffer, lines, model, pictures, scene};

    #[test]
    fn it_shows_how_each_target_is() {
        let pictures = pictures(&mut model(680), draw, [(36, 5), (70, 5), (140, 6)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn it_fits_everywhere() {
        at_every_size(&mut model(680), draw);
        at_every_size(&mut model(0), draw);
    }

    #[test]
    fn a_target_that_is_down_says_so_in_the_title_of_the_resources() {
        let title = |seconds| super::super::resources::title(&scene(&model(seconds)));
        assert_eq!(title(600), "resources · 5 min");
        assert_eq!(title(680), "resources · 1 target down · 5 min");
    }

    #[test]
    fn a_target_that_nothing_is_known_of_is_neither_up_nor_down() {
        let mut model = model(680);
        let text = |model: &_| lines(&buffer(model, draw, 140, 6)).join("\n");
        assert!(text(&model).contains("✓ shop"), "{}", text(&model));
        model.decks[0].live = crate::history::History::new();
        for record in crate::console::testing::records(0) {
            model.decks[0].live.apply(&record);
        }
        let text = text(&model);
        assert!(text.contains("? shop     waiting"), "{text}");
    }
}
