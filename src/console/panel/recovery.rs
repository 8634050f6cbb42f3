//! How the system took each fault: when it was hurt, noticed, mitigated and back, and traffic around it.
//!
//! In: the newest injections, measured. Out: a block for each, the newest first: its times, what it cost, and bars by
//! second with the moments in which the fault went in and out and the system was back. What has no room is left out whole,
//! first the bars of the older blocks.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::Scene;
use super::faults::glyph;
use crate::console::derived::Derived;
use crate::console::moment::moment;
use crate::console::text::{clean, cut, note, put, width};
use crate::console::theme::Theme;
use crate::console::widget::axis::Column;
use crate::console::widget::canvas::Canvas;
use crate::console::widget::linear::LinearScale;
use crate::console::widget::spark::{Place, bars};
use crate::history::Injection;
use crate::history::injections::Cell;
use crate::verdict::Losses;
use crate::verdict::format::{count_short, duration_short, percent, rate_short, span};
use crate::verdict::recovery::{Assessment, Measured};

/// Columns before the first bar: what is counted, and the most of it.
const MARGIN: usize = 20;
/// Most columns of bars.
const COLUMNS: usize = 180;
/// Gauges that moved of which the numbers are told.
const GAUGES: usize = 3;

/// A word or two with its style.
type Said = (String, Style);

/// What is drawn of a cell.
type Pick = fn(&Cell) -> u64;
/// A line of bars: what it counts, its style, and how.
type Row = (&'static str, Style, Pick);

/// One injection, ready to be drawn.
struct Block<'a> {
    injection: &'a Injection,
    measured: &'a Assessment,
    head: Vec<Said>,
    facts: Vec<Vec<Said>>,
    rows: Vec<Row>,
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let derived = Derived::of(scene.history);
    let injections = derived.injections(scene.history);
    if injections.is_empty() {
        return note(buf, area, "no fault has been put in", scene.theme);
    }
    let mut y = 0;
    let height = usize::from(area.height);
    for (injection, measured) in injections {
        let losses = derived.losses(scene.history).of(injection.number);
        let block = Block::of(
            scene,
            injection,
            (measured, losses),
            usize::from(area.width),
        );
        if y > 0 && y + 1 + block.lines() <= height {
            y += 1;
        }
        if y + block.facts.len() + 1 > height {
            break;
        }
        y = block.draw(scene, area, y, buf);
    }
}

impl<'a> Block<'a> {
    fn of(
        scene: &Scene<'_>,
        injection: &'a Injection,
        (measured, losses): (&'a Assessment, &[Losses]),
        columns: usize,
    ) -> Self {
        let theme = scene.theme;
        let plan = scene.history.fault(injection.fault);
        let name = plan.map_or_else(|| injection.fault.to_string(), |plan| plan.name.clone());
        let budget = plan.and_then(|plan| plan.recover_within_us);
        let mut head = vec![
            (glyph(theme, injection.state).to_owned(), theme.text),
            (clean(&name).into_owned(), theme.title),
            (moment(scene.history, injection.injecting), theme.text),
            (injection.state.name().to_owned(), theme.dim),
        ];
        if injection.forced {
            head.push(("forced".into(), theme.warn));
        }
        let mut facts = times(measured, budget, theme);
        facts.extend(cost(measured, theme));
        facts.extend(losses.iter().flat_map(|it| missing(it, theme)));
        facts.extend(gauges(measured, theme));
        Self {
            injection,
            measured,
            head,
            facts: flow(facts, columns.saturating_sub(2), theme),
            rows: rows(injection, theme),
        }
    }

    /// Lines with its bars and the line of moments.
    fn lines(&self) -> usize {
        1 + self.facts.len() + self.rows.len() + 1
    }

    /// Draws what fits from this line on, and says which is the next.
    fn draw(&self, scene: &Scene<'_>, area: Rect, mut y: usize, buf: &mut Buffer) -> usize {
        let (theme, room) = (scene.theme, usize::from(area.width));
        let mut words = Vec::new();
        let mut left = room;
        for (text, style) in &self.head {
            let text = cut(text, left).into_owned();
            left = left.saturating_sub(width(&text) + 1);
            words.push(Span::styled(text, *style));
            words.push(Span::styled(" ", theme.dim));
        }
        words.pop();
        put(buf, area, 0, y, &words, &theme.glyphs);
        y += 1;
        for line in &self.facts {
            let words: Vec<Span<'_>> = line
                .iter()
                .map(|(text, style)| Span::styled(text.as_str(), *style))
                .collect();
            put(buf, area, 2, y, &words, &theme.glyphs);
            y += 1;
        }
        let all = self.rows.len() + 1;
        if y + all <= usize::from(area.height) && room > MARGIN + 10 {
            self.bars(theme, area, y, buf);
            y += all;
        }
        y
    }

    fn bars(&self, theme: &Theme, area: Rect, y: usize, buf: &mut Buffer) {
        let back = self.measured.recovery.since;
        let (from, until) = self.injection.shown(back);
        let room = (usize::from(area.width) - MARGIN).min(COLUMNS);
        let cells = self.injection.picture.columns(from, until, room);
        let mut canvas = Canvas::new(buf, area, &theme.glyphs);
        for (line, &(of, style, pick)) in self.rows.iter().enumerate() {
            let columns: Vec<Column<f64>> = cells
                .iter()
                .map(|cell| match cell {
                    Some(cell) => Column::Seen(cell.rate(pick(cell))),
                    None => Column::Gap,
                })
                .collect();
            let most = columns.iter().filter_map(|column| column.seen());
            let most = most.copied().fold(0.0, f64::max);
            canvas.put(2, y + line, of, theme.dim);
            canvas.put_right(9, MARGIN - 1, y + line, &rate_short(most), theme.text);
            let place = Place {
                x: MARGIN,
                y: y + line,
                lines: 1,
            };
            let scale = LinearScale::from_zero(most);
            bars(&mut canvas, place, &columns, scale, theme, |_, _| style);
        }
        let length = (until - from) as f64 / cells.len() as f64;
        let y = y + self.rows.len();
        canvas.put(
            2,
            y,
            &format!("{} a column", span((length / 1e6 * 10.0).round() / 10.0)),
            theme.dim,
        );
        let moments = [
            ("in", Some(self.injection.injecting)),
            ("out", self.injection.cleared),
            ("back", back),
        ];
        let mut free = MARGIN;
        for (word, at) in moments {
            let Some(at) = at else {
                continue;
            };
            let place = (at.saturating_sub(from) as f64 / length) as usize;
            let x = (MARGIN + place.min(cells.len() - 1)).max(free);
            let text = format!("{}{word}", theme.glyphs.up);
            canvas.put(x, y, &text, theme.text);
            free = x + width(&text) + 1;
        }
    }
}

/// What is drawn by second: requests, failed ones, and answers of the classes that came, but for the good ones.
fn rows(injection: &Injection, theme: &Theme) -> Vec<Row> {
    let mut rows: Vec<Row> = vec![
        ("requests", theme.text, |cell| cell.requests),
        ("errors", theme.bad, Cell::failed),
    ];
    let classes: [(usize, Row); 3] = [
        (3, ("3xx", theme.text, |cell| cell.classes[3])),
        (4, ("4xx", theme.warn, |cell| cell.classes[4])),
        (5, ("5xx", theme.bad, |cell| cell.classes[5])),
    ];
    let cells = injection.picture.cells();
    for (class, row) in classes {
        if cells.iter().any(|cell| cell.classes[class] > 0) {
            rows.push(row);
        }
    }
    rows
}

fn times(measured: &Assessment, budget: Option<u64>, theme: &Theme) -> Vec<Vec<Said>> {
    let said = |what: &str, time: Measured, bad: bool| {
        let style = match time {
            _ if bad => theme.bad,
            Measured::Took(_) => theme.text,
            Measured::Seems { .. } | Measured::Waiting(_) => theme.warn,
            Measured::Never(_) | Measured::Unknown(_) => theme.dim,
        };
        vec![(format!("{what} "), theme.dim), (time.to_string(), style)]
    };
    let mut noticed = said("noticed", measured.detection.took, false);
    if let Some(alert) = &measured.detection.alert {
        noticed.push((format!(" by {}", clean(alert)), theme.text));
    } else if !measured.detection.note.is_empty() {
        let note = clean(&measured.detection.note).into_owned();
        noticed.push((format!(" ({note})"), theme.dim));
    }
    let took = measured.recovery.took;
    let over = match (took, budget) {
        (Measured::Never(_), _) => true,
        (_, Some(budget)) => took.took().is_some_and(|took| took.least > budget),
        (_, None) => false,
    };
    let mut back = said("back", took, over);
    if let Some(budget) = budget {
        back.push((format!(" of {}", span(budget as f64 / 1e6)), theme.dim));
    }
    let mut all = vec![
        said("hurt", measured.impact, false),
        noticed,
        said("mitigated", measured.mitigation, false),
        back,
    ];
    match measured.breaches.len() {
        0 => {}
        1 => all.push(vec![("out of bounds again once".into(), theme.warn)]),
        times => all.push(vec![(
            format!("out of bounds again {times} times"),
            theme.warn,
        )]),
    }
    all
}

fn cost(measured: &Assessment, theme: &Theme) -> Vec<Vec<Said>> {
    let cost = measured.cost;
    let mut all = Vec::new();
    if cost.failed > 0 {
        let share = cost.during.errors().map(percent).unwrap_or_default();
        let text = format!(
            "{} failed, {share} while it was on",
            count_short(cost.failed as f64)
        );
        all.push(vec![(text, theme.text)]);
    }
    if let (Some(spent), Some(limit)) = (cost.user_seconds, measured.bounds.objective.limit_us)
        && cost.slow > 0
    {
        let limit = duration_short(limit as f64);
        let spent = count_short(spent.round());
        all.push(vec![(
            format!("{spent} user-seconds over {limit}"),
            theme.text,
        )]);
    }
    let p99s = cost.before.p99_us.zip(cost.during.p99_us);
    if let Some((before, during)) = p99s {
        let shown = |micros: u64| duration_short(micros as f64);
        let text = format!("p99 {} then {}", shown(before), shown(during));
        all.push(vec![(text, theme.dim)]);
    }
    all
}

/// Writes that are lost, or there more than once.
fn missing(losses: &Losses, theme: &Theme) -> Vec<Vec<Said>> {
    let style = if losses.lost > 0 {
        theme.bad
    } else {
        theme.warn
    };
    let mut facts: Vec<Vec<Said>> = losses
        .words()
        .into_iter()
        .map(|words| vec![(words, style)])
        .collect();
    if let Some(first) = facts.first_mut() {
        first.insert(0, (format!("{}: ", clean(&losses.ledger)), theme.dim));
    }
    facts
}

/// The gauges that moved furthest, and how many more did.
fn gauges(measured: &Assessment, theme: &Theme) -> Vec<Vec<Said>> {
    let gauged = &measured.gauges;
    let told = gauged.strongest(GAUGES);
    let more = gauged.moved.len() - told.len();
    let said = |text: String| vec![("moved ".to_owned(), theme.dim), (text, theme.text)];
    let moved = told.iter().map(|it| clean(&it.text()).into_owned());
    let more = (more > 0).then(|| format!("{more} more"));
    moved.chain(more).map(said).collect()
}

/// Facts in lines of at most so many columns; one that is too long for a line is left out.
fn flow(facts: Vec<Vec<Said>>, columns: usize, theme: &Theme) -> Vec<Vec<Said>> {
    let dot = format!(" {} ", theme.glyphs.dot);
    let wide = |fact: &[Said]| fact.iter().map(|(text, _)| width(text)).sum::<usize>();
    let mut lines: Vec<Vec<Said>> = Vec::new();
    for fact in facts {
        let needs = wide(&fact);
        if needs > columns {
            continue;
        }
        match lines.last_mut() {
            Some(line) if wide(line) + width(&dot) + needs <= columns => {
                line.push((dot.clone(), theme.dim));
                line.extend(fact);
            }
            Some(_) | None => lines.push(fact),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::console::panel::fixture::{at_every_size, buffer, lines, model, pictures, plain};
    use crate::session::record::{Event, Happening, Ledger, Missing, Record};
    use crate::verdict::quantity::Quantity;
    use crate::verdict::recovery::MovedSeries;

    #[test]
    fn it_shows_the_times_and_the_traffic_around_each_fault() {
        let pictures = pictures(&mut model(820), draw, [(78, 12), (118, 20), (198, 30)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn gauges_that_moved_are_told_and_the_others_are_not() {
        let (theme, model) = (plain(), model(820));
        let history = model.decks[0].shown();
        let mut measured = Derived::of(history).injections(history)[0].1.clone();
        assert_eq!(gauges(&measured, &theme), Vec::<Vec<Said>>::new());
        let moved = |gauge: &str| MovedSeries {
            gauge: gauge.into(),
            series: gauge.into(),
            short: String::new(),
            unit: Quantity::Ratio,
            before: 0.03,
            then: Some(0.97),
            strength: 12.0,
        };
        let names = ["cpu", "\u{1b}[31m", "disk", "net", "queue"];
        measured.gauges.moved = names.map(moved).into();
        let facts = gauges(&measured, &theme).into_iter();
        let facts = facts.map(|fact| fact.into_iter().map(|(text, _)| text).collect());
        let facts: Vec<String> = facts.collect();
        assert_eq!(facts[0], "moved cpu 3% then 97%");
        assert!(!facts[1].contains('\u{1b}'), "{facts:?}");
        assert_eq!((facts.len(), facts[3].as_str()), (4, "moved 2 more"));
    }

    #[test]
    fn it_fits_everywhere() {
        at_every_size(&mut model(820), draw);
        at_every_size(&mut model(655), draw);
        at_every_size(&mut model(0), draw);
    }

    #[test]
    fn once_the_ledgers_are_read_back_it_shows_what_each_fault_lost() {
        let missing = |second: u64, lost, duplicated| Missing {
            at: second * 1_000_000,
            lost,
            duplicated,
        };
        let ledger = Ledger {
            name: "orders".into(),
            acknowledged: 3_900,
            lost: 12,
            duplicated: 1,
            step_us: 1_000_000,
            by_time: vec![missing(660, 0, 1), missing(737, 7, 0), missing(738, 5, 0)],
            ..Ledger::default()
        };
        let mut model = model(820);
        model.decks[0].live.apply(&Record::Event(Event {
            at: 820_000_000,
            wall: 820_000_000,
            by: None,
            what: Happening::Ledger(Box::new(ledger)),
        }));
        let text = lines(&buffer(&model, draw, 118, 20)).join("\n");
        let words = "orders: 12 acknowledged writes lost · recovery point 2s to 3s";
        let (killed, slow) = text.split_once("slow database").unwrap();
        assert!(killed.contains(words), "{text}");
        assert!(
            slow.contains("orders: 1 write there more than once"),
            "{text}"
        );
        at_every_size(&mut model, draw);
    }

    #[test]
    fn before_anything_is_broken_it_says_so() {
        let text = lines(&buffer(&model(600), draw, 40, 2)).concat();
        assert!(text.contains("no fault has been put in"), "{text}");
    }
}
