//! Lays a chart out as shapes: title, legend, faults, axes, lines, from top to bottom.
//!
//! Texts never overlap and never cover a line: the legend and the faults' names have rows of their own above
//! the plot, and as many rows as they need (up to a limit). Lines are drawn with at most a few points a pixel
//! column, the extremes kept, so a run of any size can be drawn. The colours are those of Okabe and Ito,
//! which colour-blind readers can tell apart; lines that run over each other differ in thickness, so that
//! both are seen.

use super::canvas::{Anchor, Colour, Shape, text_width};
use super::chart::{Chart, Kind, Line, SIZE};
use super::format::{grouped, value};
use super::panels;
use super::strips;
use super::ticks::{self, Tick};

pub(super) const PALETTE: [Colour; 7] = [
    (0x00, 0x72, 0xB2),
    (0xD5, 0x5E, 0x00),
    (0x00, 0x9E, 0x73),
    (0xCC, 0x79, 0xA7),
    (0xE6, 0x9F, 0x00),
    (0x56, 0xB4, 0xE9),
    (0x33, 0x33, 0x33),
];
const PAPER: Colour = (0xFF, 0xFF, 0xFF);
pub(super) const INK: Colour = (0x1C, 0x22, 0x2B);
pub(super) const SOFT: Colour = (0x5A, 0x64, 0x72);
pub(super) const GRID: Colour = (0xE3, 0xE6, 0xEA);
pub(super) const AXIS: Colour = (0x9A, 0xA3, 0xAF);
const OTHERS: Colour = (0xB4, 0xBA, 0xC2);
const FAULT: Colour = (0xC0, 0x39, 0x2B);

/// The lines that get a colour and a place in the legend; further ones are drawn in grey behind them.
pub(super) const LINES_MAX: usize = 14;
/// Rows of fault names above the plot; the names of further faults are left out, their shade is not.
const FAULT_ROWS_MAX: usize = 3;
/// Columns in which extremes are kept: half pixels.
const COLUMNS: f64 = 2.0;

pub(super) const MARGIN: f64 = 28.0;
pub(super) const ROW: f64 = 22.0;
pub(super) const TEXT: f64 = 13.0;

/// Where the plot is, and what its axes mean.
struct Plot {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// The ends of the horizontal axis, as logarithms if `log`.
    x: (f64, f64),
    log: bool,
    y_top: f64,
}

impl Plot {
    fn x(&self, v: f64) -> f64 {
        let v = if self.log { v.max(1e-300).ln() } else { v };
        let part = (v - self.x.0) / (self.x.1 - self.x.0);
        self.left + part.clamp(0.0, 1.0) * (self.right - self.left)
    }

    fn y(&self, v: f64) -> f64 {
        self.bottom - (v / self.y_top).clamp(0.0, 1.0) * (self.bottom - self.top)
    }
}

/// The whole chart.
pub(super) fn shapes(chart: &Chart) -> Vec<Shape> {
    let (width, height) = (f64::from(SIZE.0), f64::from(chart.height()));
    let mut out =
        vec![Shape::Rect { from: (0.0, 0.0), to: (width, height), colour: PAPER, alpha: 1.0 }];
    let room = width - 2.0 * MARGIN;
    text(&mut out, (MARGIN, 30.0), &shorten(&chart.title, 21.0, room), 21.0, Anchor::Start, INK);
    text(
        &mut out,
        (MARGIN, 56.0),
        &shorten(&chart.subtitle, TEXT, room),
        TEXT,
        Anchor::Start,
        SOFT,
    );
    if chart.kind == Kind::Strips {
        strips::draw(&mut out, chart);
        return out;
    }
    if chart.kind == Kind::Panels {
        panels::draw(&mut out, chart);
        return out;
    }
    let below_legend = legend(&mut out, chart, 84.0);

    let (y_top, y_ticks) = y_axis(chart);
    let widest = y_ticks.iter().map(|(_, l)| text_width(l, TEXT)).fold(0.0, f64::max);
    let (x, log, x_ticks) = x_axis(chart);
    let mut plot = Plot {
        left: MARGIN + widest + 10.0,
        right: width - MARGIN - 8.0,
        top: below_legend + 30.0,
        bottom: height - 60.0,
        x,
        log,
        y_top,
    };
    let rows = fault_rows(&plot, chart);
    let used = rows.iter().map(|r| r.row + 1).max().unwrap_or(0).min(FAULT_ROWS_MAX);
    plot.top += used as f64 * ROW;

    faults(&mut out, &plot, chart, &rows, below_legend + 2.0);
    axes(&mut out, &plot, chart, &x_ticks, &y_ticks);
    bands(&mut out, &plot, chart);
    lines(&mut out, &plot, chart);
    out
}

pub(super) fn text(
    out: &mut Vec<Shape>,
    at: (f64, f64),
    text: &str,
    size: f64,
    anchor: Anchor,
    colour: Colour,
) {
    if !text.is_empty() {
        out.push(Shape::Text { at, text: text.to_string(), size, anchor, colour });
    }
}

/// The text, or as much of it as fits with an ellipsis, free of control characters.
pub(super) fn shorten(text: &str, size: f64, room: f64) -> String {
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text_width(&text, size) <= room {
        return text;
    }
    while !text.is_empty() && text_width(&text, size) > room - size {
        text.pop();
    }
    format!("{}…", text.trim_end())
}

pub(super) fn colour(index: usize) -> Colour {
    if index < LINES_MAX { PALETTE[index % PALETTE.len()] } else { OTHERS }
}

/// Earlier lines are thicker, so that one drawn over them at the same height leaves their edge visible.
fn thickness(index: usize, lines: usize) -> f64 {
    let behind = lines.min(3).saturating_sub(index + 1) as f64;
    if index >= LINES_MAX { 1.0 } else { 2.0 + behind * 1.5 }
}

/// Rows of swatches and names from `top` on; returns where they end. A single line without a name has none.
fn legend(out: &mut Vec<Shape>, chart: &Chart, top: f64) -> f64 {
    let count = chart.lines.len();
    let mut items: Vec<(String, usize)> = chart
        .lines
        .iter()
        .take(LINES_MAX)
        .enumerate()
        .map(|(i, line)| (legend_text(chart, line), i))
        .filter(|(name, _)| !name.is_empty())
        .collect();
    if count > LINES_MAX {
        items.push((format!("{} more", count - LINES_MAX), LINES_MAX));
    }
    let (mut x, mut y) = (MARGIN, top);
    let right = f64::from(SIZE.0) - MARGIN;
    for (i, (name, index)) in items.iter().enumerate() {
        let name = shorten(name, TEXT, right - MARGIN - 34.0);
        let wide = 34.0 + text_width(&name, TEXT) + 22.0;
        if i > 0 && x + wide - 22.0 > right {
            (x, y) = (MARGIN, y + ROW);
        }
        let thick = thickness(*index, count).max(2.0);
        out.push(Shape::Line {
            points: vec![(x, y), (x + 26.0, y)],
            width: thick,
            colour: colour(*index),
        });
        text(out, (x + 34.0, y), &name, TEXT, Anchor::Start, INK);
        x += wide;
    }
    if items.is_empty() { top - ROW / 2.0 } else { y + ROW / 2.0 }
}

fn legend_text(chart: &Chart, line: &Line) -> String {
    if chart.kind != Kind::Distribution {
        return line.name.clone();
    }
    let n = line.points.len();
    let at = |per_cent: usize| {
        value(line.points[((n * per_cent).div_ceil(100)).max(1) - 1].0, &chart.unit)
    };
    let figures = format!("median {}, p99 {}, max {}", at(50), at(99), at(100));
    let name = if line.name.is_empty() { "all" } else { &line.name };
    format!("{name}: {figures} ({} values)", grouped(n as u64))
}

fn y_axis(chart: &Chart) -> (f64, Vec<Tick>) {
    if chart.kind == Kind::Distribution {
        return ticks::value(100.0, "%", false);
    }
    let values = || {
        let lines = chart.lines.iter();
        let tops = |l: &Line| l.band.iter().map(|b| b.2).collect::<Vec<_>>();
        let own = lines.flat_map(move |l| l.points.iter().map(|p| p.1).chain(tops(l)));
        own.filter(|v| v.is_finite())
    };
    ticks::value(values().fold(0.0, f64::max), &chart.unit, values().all(|v| v.fract() == 0.0))
}

fn x_axis(chart: &Chart) -> ((f64, f64), bool, Vec<Tick>) {
    match chart.kind {
        Kind::Time { from, until } => ((from, until), false, ticks::clock(from, until, 14)),
        Kind::Distribution | Kind::Strips | Kind::Panels => {
            let values = || chart.lines.iter().flat_map(|l| &l.points).map(|p| p.0);
            let max = values().fold(0.0, f64::max);
            let max = if max > 0.0 { max } else { 1.0 };
            // Nothing or less has no place on this axis: it is drawn at its left end.
            let min = values().filter(|&v| v > 0.0).fold(max, f64::min);
            let (low, high, marks) = ticks::log(min, max, &chart.unit);
            ((low.ln(), high.ln()), true, marks)
        }
    }
}

/// Where a fault's bar and name stand above the plot.
struct FaultRow {
    row: usize,
    /// Of the bar, in pixels.
    from: f64,
    until: f64,
    label: String,
    /// Left end of the name.
    label_at: f64,
}

fn visible(chart: &Chart) -> impl Iterator<Item = &crate::measure::FaultSpan> {
    let (start, end) = match chart.kind {
        Kind::Time { from, until } => (from, until),
        Kind::Distribution | Kind::Strips | Kind::Panels => (0.0, 0.0),
    };
    chart.faults.iter().filter(move |f| f.until >= start && f.from <= end)
}

/// Gives each fault the first row where its bar and name have room; those that find none get a row
/// past the last.
fn fault_rows(plot: &Plot, chart: &Chart) -> Vec<FaultRow> {
    const GAP: f64 = 12.0;
    let mut taken: Vec<Vec<(f64, f64)>> = vec![Vec::new(); FAULT_ROWS_MAX];
    let mut rows = Vec::new();
    for fault in visible(chart) {
        let (from, until) = (plot.x(fault.from), plot.x(fault.until).max(plot.x(fault.from) + 3.0));
        let label = shorten(&fault.name, TEXT - 1.0, 420.0);
        let wide = text_width(&label, TEXT - 1.0);
        let label_at =
            if until + 6.0 + wide <= plot.right { until + 6.0 } else { from - 6.0 - wide };
        let label_at = label_at.max(plot.left);
        let extent = (from.min(label_at) - GAP, until.max(label_at + wide) + GAP);
        let free = |row: &Vec<(f64, f64)>| row.iter().all(|t| extent.1 <= t.0 || extent.0 >= t.1);
        let row = taken.iter().position(free).unwrap_or(FAULT_ROWS_MAX);
        if row < FAULT_ROWS_MAX {
            taken[row].push((extent.0 + GAP, extent.1 - GAP));
        }
        rows.push(FaultRow { row, from, until, label, label_at });
    }
    rows
}

fn faults(out: &mut Vec<Shape>, plot: &Plot, chart: &Chart, rows: &[FaultRow], top: f64) {
    // One shade over all that overlap, so that many faults do not add up to a solid block.
    let mut spans: Vec<(f64, f64)> = rows.iter().map(|r| (r.from, r.until)).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut merged: Vec<(f64, f64)> = Vec::new();
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
            _ => merged.push(span),
        }
    }
    for (from, until) in merged {
        let to = (until.min(plot.right), plot.bottom);
        out.push(Shape::Rect { from: (from, plot.top), to, colour: FAULT, alpha: 0.13 });
    }
    for r in rows.iter().filter(|r| r.row < FAULT_ROWS_MAX) {
        let y = top + ROW / 2.0 + r.row as f64 * ROW;
        let to = (r.until.min(plot.right), y + 4.0);
        out.push(Shape::Rect { from: (r.from, y - 4.0), to, colour: FAULT, alpha: 0.75 });
        text(out, (r.label_at, y), &r.label, TEXT - 1.0, Anchor::Start, FAULT);
    }
    let unnamed = rows.iter().filter(|r| r.row >= FAULT_ROWS_MAX).count();
    if unnamed > 0 {
        let note = format!("{unnamed} of {} faults shaded without a name", visible(chart).count());
        text(out, (MARGIN, f64::from(SIZE.1) - 16.0), &note, TEXT - 1.0, Anchor::Start, SOFT);
    }
}

fn axes(out: &mut Vec<Shape>, plot: &Plot, chart: &Chart, x_ticks: &[Tick], y_ticks: &[Tick]) {
    for (v, label) in y_ticks {
        let y = plot.y(*v);
        let colour = if *v == 0.0 { AXIS } else { GRID };
        out.push(Shape::Line { points: vec![(plot.left, y), (plot.right, y)], width: 1.0, colour });
        text(out, (plot.left - 10.0, y), label, TEXT, Anchor::End, SOFT);
    }
    let mut free_from = 0.0;
    for (v, label) in x_ticks {
        let x = plot.x(*v);
        let points = vec![(x, plot.top), (x, plot.bottom)];
        out.push(Shape::Line { points, width: 1.0, colour: GRID });
        out.push(Shape::Line {
            points: vec![(x, plot.bottom), (x, plot.bottom + 5.0)],
            width: 1.0,
            colour: AXIS,
        });
        let half = text_width(label, TEXT) / 2.0;
        let at = x.min(f64::from(SIZE.0) - 6.0 - half);
        if at - half >= free_from {
            text(out, (at, plot.bottom + 17.0), label, TEXT, Anchor::Middle, SOFT);
            free_from = at + half + 8.0;
        }
    }
    let (x_name, y_name) = match chart.kind {
        Kind::Time { .. } => ("simulated time".to_string(), chart.what.clone()),
        Kind::Distribution | Kind::Strips | Kind::Panels => {
            let name = format!("{} (logarithmic)", chart.what);
            (name, "of all values are at most so large".to_string())
        }
    };
    let x_name = shorten(&x_name, TEXT, 500.0);
    text(out, (plot.right, plot.bottom + 40.0), &x_name, TEXT, Anchor::End, SOFT);
    let y_name = shorten(&y_name, TEXT, 500.0);
    text(out, (MARGIN, plot.top - 16.0), &y_name, TEXT, Anchor::Start, SOFT);
}

/// Where most of the values lie, as a shade behind each line.
fn bands(out: &mut Vec<Shape>, plot: &Plot, chart: &Chart) {
    let Kind::Time { from, until } = chart.kind else { return };
    for (index, line) in chart.lines.iter().enumerate().take(LINES_MAX) {
        let mut open: Option<(f64, f64, f64)> = None;
        let ends = line.band.iter().skip(1).map(|b| b.0).chain([until]);
        let mut shade = |(start, low, high): (f64, f64, f64), end: f64| {
            if low.is_finite() && end > from && start < until {
                let (a, b) = (plot.x(start.max(from)), plot.x(end.min(until)));
                let corners = ((a, plot.y(high) - 1.0), (b, plot.y(low) + 1.0));
                let (from, to) = corners;
                out.push(Shape::Rect { from, to, colour: colour(index), alpha: 0.16 });
            }
        };
        let mut end = from;
        for (&(at, low, high), next) in line.band.iter().zip(ends) {
            let same = |o: &(f64, f64, f64)| (o.1, o.2) == (low, high);
            if !open.as_ref().is_some_and(same)
                && let Some(done) = open.replace((at, low, high))
            {
                shade(done, at);
            }
            end = next;
        }
        if let Some(done) = open {
            shade(done, end);
        }
    }
}

fn lines(out: &mut Vec<Shape>, plot: &Plot, chart: &Chart) {
    let count = chart.lines.len();
    let indexes = (LINES_MAX.min(count)..count).chain(0..LINES_MAX.min(count));
    for index in indexes {
        let line = &chart.lines[index];
        let paths = match chart.kind {
            Kind::Distribution | Kind::Strips | Kind::Panels => vec![cumulative(plot, line)],
            Kind::Time { from, until } if line.steps => holding(plot, line, from, until),
            Kind::Time { from, until } => windows(plot, line, from, until),
        };
        for points in paths.into_iter().filter(|p| p.len() > 1) {
            let width = thickness(index, count);
            out.push(Shape::Line { points: thin(points), width, colour: colour(index) });
        }
    }
}

/// A value that holds until the next point; a value that is no number breaks the line.
fn holding(plot: &Plot, line: &Line, from: f64, until: f64) -> Vec<Vec<(f64, f64)>> {
    let mut paths = vec![Vec::new()];
    let nexts = line.points.iter().skip(1).map(|p| p.0).chain([f64::INFINITY]);
    for (&(t, v), next) in line.points.iter().zip(nexts) {
        if !v.is_finite() {
            paths.push(Vec::new());
        } else if next >= from && t <= until {
            let path = paths.last_mut().expect("there is one");
            path.push((plot.x(t), plot.y(v)));
            path.push((plot.x(next.min(until)), plot.y(v)));
        }
    }
    paths
}

/// A value for each window ending at its point; where windows are missing the line breaks.
fn windows(plot: &Plot, line: &Line, from: f64, until: f64) -> Vec<Vec<(f64, f64)>> {
    let mut gaps: Vec<f64> = line.points.windows(2).map(|w| w[1].0 - w[0].0).collect();
    gaps.sort_by(f64::total_cmp);
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(f64::INFINITY);
    let mut paths = vec![Vec::new()];
    let mut before = f64::NEG_INFINITY;
    for &(end, v) in &line.points {
        let start = if end - before <= usual * 1.5 { before } else { end - usual };
        let joined = start == before;
        before = end;
        if !v.is_finite() {
            paths.push(Vec::new());
        } else if end >= from && start <= until {
            if !joined {
                paths.push(Vec::new());
            }
            let path = paths.last_mut().expect("there is one");
            path.push((plot.x(start.max(from)), plot.y(v)));
            path.push((plot.x(end.min(until)), plot.y(v)));
        }
    }
    paths
}

/// Per cent of the values that are at most so large, as steps.
fn cumulative(plot: &Plot, line: &Line) -> Vec<(f64, f64)> {
    let n = line.points.len() as f64;
    let mut path = vec![(plot.left, plot.y(0.0))];
    let mut height = plot.y(0.0);
    for &(v, at_most) in &line.points {
        let x = plot.x(v);
        path.push((x, height));
        height = plot.y(at_most / n * 100.0);
        path.push((x, height));
    }
    path.push((plot.right, height));
    path
}

/// Keeps of each pixel column the first, lowest, highest and last point in their order, and makes every
/// segment run along one axis.
fn thin(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let column = |p: &(f64, f64)| (p.0 * COLUMNS).round() as i64;
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for group in points.chunk_by(|a, b| column(a) == column(b)) {
        let extreme = |better: fn(f64, f64) -> bool| {
            (0..group.len()).reduce(|a, b| if better(group[b].1, group[a].1) { b } else { a })
        };
        let low = extreme(|a, b| a > b).unwrap_or(0);
        let high = extreme(|a, b| a < b).unwrap_or(0);
        let mut order = [0, low.min(high), low.max(high), group.len() - 1].to_vec();
        order.dedup();
        let x = column(&group[0]) as f64 / COLUMNS;
        for i in order {
            let point = (x, group[i].1);
            if let Some(last) = kept.last().filter(|l| l.0 != point.0 && l.1 != point.1) {
                kept.push((point.0, last.1));
            }
            if kept.last() != Some(&point) {
                kept.push(point);
            }
        }
    }
    straight(kept)
}

/// Leaves out points in the middle of a segment that goes straight on.
fn straight(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let mut out: Vec<(f64, f64)> = Vec::with_capacity(points.len());
    for p in points {
        if let [.., a, b] = out[..] {
            let level = a.1 == b.1 && b.1 == p.1 && (b.0 - a.0) * (p.0 - b.0) >= 0.0;
            let upright = a.0 == b.0 && b.0 == p.0 && (b.1 - a.1) * (p.1 - b.1) >= 0.0;
            if level || upright {
                out.pop();
            }
        }
        out.push(p);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_points_become_a_few_a_column_and_keep_their_extremes() {
        let mut points: Vec<(f64, f64)> =
            (0..1_000_000).map(|i| (f64::from(i) / 1000.0, 300.0 + f64::from(i % 7))).collect();
        points[500_500].1 = 10.0;
        points[700_500].1 = 590.0;
        let thinned = thin(points);
        assert!(thinned.len() < 12_000, "{}", thinned.len());
        assert!(thinned.iter().any(|p| p.1 == 10.0) && thinned.iter().any(|p| p.1 == 590.0));
        let along = |w: &[(f64, f64)]| w[0].0 == w[1].0 || w[0].1 == w[1].1;
        assert!(thinned.windows(2).all(along), "a segment leaves the axes");
    }

    #[test]
    fn a_missing_window_breaks_the_line_and_does_not_stretch_its_neighbour() {
        let plot = Plot {
            left: 0.0,
            right: 100.0,
            top: 0.0,
            bottom: 100.0,
            x: (0.0, 100.0),
            log: false,
            y_top: 100.0,
        };
        let points = vec![(10.0, 50.0), (20.0, 60.0), (30.0, 70.0), (60.0, 80.0), (70.0, 90.0)];
        let line = Line::new(String::new(), false, points);
        let paths = windows(&plot, &line, 0.0, 100.0);
        let paths: Vec<_> = paths.into_iter().filter(|p| !p.is_empty()).collect();
        assert_eq!(paths.len(), 2);
        assert_eq!(paths[0].first(), Some(&(0.0, 50.0)));
        assert_eq!(paths[1].first(), Some(&(50.0, 20.0)));
    }
}
