//! Which panels are on screen and where, for every view and size.
//!
//! In: the view, the size, and which panels have something to show. Out: rectangles. Neighbours share their border, so
//! each rectangle overlaps the next by one cell. What has no room is left out whole: at 80x24 the resources and the
//! timeline fold away, at 200x60 the distributions and the events come to the overview.

use ratatui::layout::Constraint::{Fill, Length};
use ratatui::layout::{Layout, Rect, Spacing};

use super::model::View;

/// The panels that a view puts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after the files of `panel`")]
pub enum Panel {
    Scenarios,
    Faults,
    Recovery,
    Latency,
    Resources,
    Targets,
    Alerts,
    Gates,
    Rates,
    Timeline,
    Scrubber,
    Histogram,
    Percentiles,
    Steps,
    Events,
    Exemplars,
    Samples,
    Log,
}

/// What decides on the layout beside the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The view.
    pub view: View,
    /// Lines that the scenarios want.
    pub scenarios: u16,
    /// Lines that the faults want; 0 when there is nothing to break.
    pub faults: u16,
    /// Lines that the resources want.
    pub resources: u16,
    /// Lines that the targets want; 0 when nothing is watched.
    pub targets: u16,
    /// Lines that the alerts want; 0 when nothing tells of any.
    pub alerts: u16,
    /// Whether a moment of a recording is shown, or of a rewound window.
    pub past: bool,
}

/// Narrower than this, two columns; else three.
const THREE: u16 = 100;
/// Columns of the left of the overview: what a scenario's line needs, and the borders.
pub const LEFT: u16 = 29;
/// From this size on there is room for more than the essential.
const ROOMY: (u16, u16) = (150, 44);

/// The panels of a view in this area, which lies between the header and the footer.
pub fn panels(facts: Facts, area: Rect) -> Vec<(Panel, Rect)> {
    let mut placed = Vec::new();
    let mut rest = area;
    if facts.past && rest.height >= 10 {
        placed.push((Panel::Scrubber, cut_bottom(&mut rest, 4)));
    }
    match facts.view {
        View::Overview => overview(facts, rest, &mut placed),
        View::Latency => latency(rest, &mut placed),
        View::Resources => resources(facts, rest, &mut placed),
        View::Faults => faults(facts, rest, &mut placed),
        View::Gates => placed.push((Panel::Gates, rest)),
        View::Events => events(rest, &mut placed),
    }
    placed.retain(|(_, area)| area.width > 2 && area.height > 2);
    placed
}

fn overview(facts: Facts, area: Rect, placed: &mut Vec<(Panel, Rect)>) {
    let mut rest = area;
    let roomy = area.width >= ROOMY.0 && area.height >= ROOMY.1;
    // In a recording the scrubber has the phases, and a small screen no room for both.
    if area.height >= 28 || (area.height >= 20 && !facts.past) {
        let lines = match area.height {
            0..28 => 1,
            28..44 => 2,
            _ => 4,
        };
        placed.push((Panel::Timeline, cut_bottom(&mut rest, lines + 2)));
    }
    if area.height >= 14 {
        let lines = match area.height {
            0..28 => 1,
            28..44 => 2,
            _ => 5,
        };
        placed.push((Panel::Rates, cut_bottom(&mut rest, lines + 2)));
    }
    if area.width < 60 {
        placed.push((Panel::Scenarios, cut_top(&mut rest, facts.scenarios + 2)));
        placed.push((Panel::Latency, rest));
        return;
    }
    let left = (area.width / 4).clamp(LEFT, 44);
    left_column(facts, cut_left(&mut rest, left), placed);
    if area.width >= THREE {
        let right = (area.width * 3 / 10).clamp(34, 60);
        let mut right = cut_right(&mut rest, right);
        let events = right.height.saturating_sub(facts.resources + 1);
        if events >= 6 {
            let lines = events.max(right.height / 2);
            let events = cut_bottom(&mut right, lines);
            placed.push((Panel::Events, events));
        }
        placed.push((Panel::Resources, right));
    }
    if roomy {
        let below = rest.height * 2 / 5;
        let mut below = cut_bottom(&mut rest, below);
        let half = below.width / 2;
        placed.push((Panel::Histogram, cut_left(&mut below, half)));
        placed.push((Panel::Percentiles, below));
    }
    placed.push((Panel::Latency, rest));
}

/// Scenarios, then faults where there are any, then gates in what is left.
fn left_column(facts: Facts, area: Rect, placed: &mut Vec<(Panel, Rect)>) {
    let mut rest = area;
    let most = rest.height * if facts.faults > 0 { 2 } else { 3 } / 5;
    let scenarios = (facts.scenarios + 2).min(most.max(4));
    placed.push((Panel::Scenarios, cut_top(&mut rest, scenarios)));
    if facts.faults > 0 && rest.height >= 9 {
        let faults = (facts.faults + 2).min(rest.height / 2 + 1);
        placed.push((Panel::Faults, cut_top(&mut rest, faults)));
    }
    placed.push((Panel::Gates, rest));
}

fn latency(area: Rect, placed: &mut Vec<(Panel, Rect)>) {
    let mut rest = area;
    if area.height < 16 {
        placed.push((Panel::Latency, rest));
        return;
    }
    let steps = (area.height / 3).clamp(5, 24);
    placed.push((Panel::Steps, cut_bottom(&mut rest, steps)));
    if area.width >= THREE {
        let right = (area.width * 2 / 5).clamp(40, 80);
        let mut right = cut_right(&mut rest, right);
        let half = right.height / 2;
        placed.push((Panel::Histogram, cut_top(&mut right, half)));
        placed.push((Panel::Percentiles, right));
    } else {
        let half = rest.height / 2;
        let mut below = cut_bottom(&mut rest, half);
        let half = below.width / 2;
        placed.push((Panel::Histogram, cut_left(&mut below, half)));
        placed.push((Panel::Percentiles, below));
    }
    placed.push((Panel::Latency, rest));
}

/// Targets and alerts below the gauges, beside each other where there is room.
fn resources(facts: Facts, area: Rect, placed: &mut Vec<(Panel, Rect)>) {
    let mut rest = area;
    let below = [
        (Panel::Alerts, facts.alerts),
        (Panel::Targets, facts.targets),
    ];
    let wanted: Vec<_> = below.into_iter().filter(|&(_, lines)| lines > 0).collect();
    match wanted[..] {
        [(first, lines), (second, more)] if area.width >= ROOMY.0 => {
            let lines = (lines.max(more) + 2).min(area.height * 2 / 5);
            let mut below = cut_bottom(&mut rest, lines);
            let right = below.width * 2 / 5;
            placed.push((first, cut_right(&mut below, right)));
            placed.push((second, below));
        }
        _ if area.height >= 14 => {
            let most = area.height / 2 / wanted.len().max(1) as u16;
            for (panel, lines) in wanted {
                placed.push((panel, cut_bottom(&mut rest, (lines + 2).min(most.max(4)))));
            }
        }
        _ => {}
    }
    placed.push((Panel::Resources, rest));
}

/// Every fault in a line, then what was measured of each, then what happened.
fn faults(facts: Facts, area: Rect, placed: &mut Vec<(Panel, Rect)>) {
    let mut rest = area;
    if area.height >= 16 {
        let lines = if facts.faults > 0 && area.height < 28 {
            4
        } else {
            6
        };
        placed.push((Panel::Timeline, cut_bottom(&mut rest, lines)));
    }
    if facts.faults > 0 && rest.height >= 12 {
        let lines = (facts.faults + 2).min(rest.height / 2);
        placed.push((Panel::Faults, cut_top(&mut rest, lines)));
        placed.push((Panel::Recovery, rest));
    } else {
        placed.push((Panel::Faults, rest));
    }
}

fn events(area: Rect, placed: &mut Vec<(Panel, Rect)>) {
    let mut rest = area;
    if area.width >= THREE {
        let half = rest.width / 2;
        let mut right = cut_right(&mut rest, half);
        let third = right.height / 3;
        placed.push((Panel::Exemplars, cut_top(&mut right, third)));
        let half = right.height / 2;
        placed.push((Panel::Samples, cut_top(&mut right, half)));
        placed.push((Panel::Log, right));
    } else if area.height >= 16 {
        let half = rest.height / 2;
        let mut below = cut_bottom(&mut rest, half);
        let half = below.height / 2;
        placed.push((Panel::Exemplars, cut_top(&mut below, half)));
        placed.push((Panel::Log, below));
    }
    placed.push((Panel::Events, rest));
}

/// Cuts `lines` off the top of `area`; the border between is in both.
fn cut_top(area: &mut Rect, lines: u16) -> Rect {
    let [cut, rest] = sharing_border(Layout::vertical([Length(lines), Fill(1)]), *area);
    *area = rest;
    cut
}

/// Likewise, off the bottom.
fn cut_bottom(area: &mut Rect, lines: u16) -> Rect {
    let [rest, cut] = sharing_border(Layout::vertical([Fill(1), Length(lines)]), *area);
    *area = rest;
    cut
}

/// Likewise, off the left.
fn cut_left(area: &mut Rect, columns: u16) -> Rect {
    let [cut, rest] = sharing_border(Layout::horizontal([Length(columns), Fill(1)]), *area);
    *area = rest;
    cut
}

/// Likewise, off the right.
fn cut_right(area: &mut Rect, columns: u16) -> Rect {
    let [rest, cut] = sharing_border(Layout::horizontal([Fill(1), Length(columns)]), *area);
    *area = rest;
    cut
}

fn sharing_border(layout: Layout, area: Rect) -> [Rect; 2] {
    layout.spacing(Spacing::Overlap(1)).areas(area)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every view at every size.
    fn all(check: impl Fn(Facts, Rect, &[(Panel, Rect)])) {
        for view in View::ALL {
            for (some, past) in [(0, false), (4, false), (0, true), (40, true)] {
                let facts = Facts {
                    view,
                    scenarios: 6,
                    faults: some,
                    resources: 5,
                    targets: some,
                    alerts: some / 2,
                    past,
                };
                for width in (1..=260).step_by(3) {
                    for height in 1..=80 {
                        let area = Rect::new(0, 1, width, height);
                        check(facts, area, &panels(facts, area));
                    }
                }
            }
        }
    }

    #[test]
    fn panels_stay_in_the_area_and_share_nothing_but_borders() {
        all(|facts, area, placed| {
            for (index, &(panel, rect)) in placed.iter().enumerate() {
                assert_eq!(rect, rect.intersection(area), "{panel:?} {facts:?} {area}");
                for &(other, second) in &placed[index + 1..] {
                    let inner = |rect: Rect| rect.inner(ratatui::layout::Margin::new(1, 1));
                    let shared = inner(rect).intersection(inner(second));
                    let none = shared.is_empty();
                    assert!(none, "{panel:?} and {other:?} {facts:?} {area}");
                }
            }
        });
    }

    #[test]
    fn every_view_shows_what_it_is_named_after_wherever_anything_fits() {
        all(|facts, area, placed| {
            let main = match facts.view {
                View::Overview | View::Latency => Panel::Latency,
                View::Resources => Panel::Resources,
                View::Faults => Panel::Faults,
                View::Gates => Panel::Gates,
                View::Events => Panel::Events,
            };
            if area.width >= 30 && area.height >= 22 {
                let shown = placed.iter().any(|&(panel, _)| panel == main);
                assert!(shown, "{facts:?} {area}");
            }
        });
    }
}
