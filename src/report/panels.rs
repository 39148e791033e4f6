//! A chart of panels: a few measures side by side, each with its own axis, a bar for each setting.
//!
//! The bar is the median of the runs, each dot a run, from left to right in the order of the seeds; the
//! figure under the bar is the median. A setting has one colour in all panels.

use super::canvas::{Anchor, Shape, text_width};
use super::chart::{Chart, Panel, SIZE};
use super::draw::{AXIS, GRID, INK, MARGIN, SOFT, TEXT, colour, shorten, text};
use super::format::value;
use super::ticks;

/// No more bars than this are drawn in a panel.
pub(super) const BARS_MAX: usize = 8;
/// More dots than this would be a blot.
const DOTS_MAX: usize = 100;
const GAP: f64 = 44.0;
const TOP: f64 = 170.0;
const BOTTOM: f64 = 70.0;

/// Draws legend, panels, bars and dots.
pub(super) fn draw(out: &mut Vec<Shape>, chart: &Chart) {
    let names: Vec<&str> = chart
        .panels
        .first()
        .map_or(Vec::new(), |p| p.lines.iter().map(|l| l.name.as_str()).collect());
    legend(out, &names);
    let count = chart.panels.len().max(1) as f64;
    let wide = (f64::from(SIZE.0) - 2.0 * MARGIN - GAP * (count - 1.0)) / count;
    for (index, panel) in chart.panels.iter().enumerate() {
        let left = MARGIN + index as f64 * (wide + GAP);
        one_panel(out, panel, left, left + wide);
    }
}

fn legend(out: &mut Vec<Shape>, names: &[&str]) {
    let mut x = MARGIN;
    for (index, name) in names.iter().take(BARS_MAX).enumerate() {
        let (from, to) = ((x, 79.0), (x + 22.0, 91.0));
        out.push(Shape::Rect { from, to, colour: colour(index), alpha: 0.55 });
        let name = shorten(name, TEXT, 240.0);
        text(out, (x + 30.0, 85.0), &name, TEXT, Anchor::Start, INK);
        x += 30.0 + text_width(&name, TEXT) + 26.0;
    }
}

fn one_panel(out: &mut Vec<Shape>, panel: &Panel, left: f64, right: f64) {
    let values = || panel.lines.iter().flat_map(|l| &l.points).map(|p| p.0);
    let whole = values().all(|v| v.fract() == 0.0);
    let (top_value, marks) = ticks::value(values().fold(0.0, f64::max), &panel.unit, whole);
    let room = right - left;
    text(out, (left, 122.0), &shorten(&panel.title, 16.0, room), 16.0, Anchor::Start, INK);
    text(out, (left, 144.0), &shorten(&panel.what, TEXT, room), TEXT, Anchor::Start, SOFT);
    let bottom = f64::from(SIZE.1) - BOTTOM;
    let widest = marks.iter().map(|(_, l)| text_width(l, TEXT)).fold(0.0, f64::max);
    let plot = left + widest + 8.0;
    let y = |v: f64| bottom - (v / top_value).clamp(0.0, 1.0) * (bottom - TOP);
    for (mark, label) in &marks {
        let at = y(*mark);
        out.push(Shape::Line { points: vec![(plot, at), (right, at)], width: 1.0, colour: GRID });
        text(out, (plot - 8.0, at), label, TEXT, Anchor::End, SOFT);
    }
    let lines = &panel.lines[..panel.lines.len().min(BARS_MAX)];
    let slot = (right - plot) / lines.len().max(1) as f64;
    for (index, line) in lines.iter().enumerate() {
        let ink = colour(index);
        let (from, to) = (plot + slot * (index as f64 + 0.14), plot + slot * (index as f64 + 0.86));
        let middle = (from + to) / 2.0;
        let name = shorten(&line.name, TEXT, slot - 4.0);
        text(out, (middle, bottom + 20.0), &name, TEXT, Anchor::Middle, INK);
        let all: Vec<f64> = line.points.iter().map(|p| p.0).collect();
        let mut sorted = all.clone();
        sorted.sort_by(f64::total_cmp);
        let Some(&median) = sorted.get((sorted.len().max(1) - 1) / 2) else { continue };
        let corner = (to, bottom);
        out.push(Shape::Rect { from: (from, y(median)), to: corner, colour: ink, alpha: 0.55 });
        let edge = vec![(from, y(median)), (to, y(median))];
        out.push(Shape::Line { points: edge, width: 3.0, colour: ink });
        let step = all.len().div_ceil(DOTS_MAX).max(1);
        let shown: Vec<f64> = all.into_iter().step_by(step).collect();
        for (i, v) in shown.iter().enumerate() {
            let x = from + (to - from) * (i as f64 + 0.5) / shown.len() as f64;
            out.push(Shape::Dot { at: (x, y(*v)), radius: 3.0, colour: INK, alpha: 0.45 });
        }
        let figure = shorten(&value(median, &panel.unit), TEXT, slot - 2.0);
        text(out, (middle, bottom + 42.0), &figure, TEXT, Anchor::Middle, SOFT);
    }
    out.push(Shape::Line {
        points: vec![(plot, bottom), (right, bottom)],
        width: 1.0,
        colour: AXIS,
    });
}

#[cfg(test)]
mod tests {
    use super::super::chart::Line;
    use super::*;

    #[test]
    fn every_setting_has_a_bar_of_its_median_and_everything_stays_inside() {
        let line = |name: &str, values: &[f64]| {
            let points = values.iter().map(|v| (*v, 0.0)).collect();
            Line::new(name.into(), true, points)
        };
        let panel = |unit: &str, scale: f64| Panel {
            title: "Stale answers".into(),
            what: "answers in a run".into(),
            unit: unit.into(),
            lines: vec![
                line("pair", &[9.0 * scale, 10.0 * scale, 30.0 * scale]),
                line("cluster", &[]),
                line("both", &[0.0, 0.0, 0.0]),
            ],
        };
        let panels = vec![panel("s", 400.0), panel("answers", 1.0), panel("names", 0.0)];
        let chart = Chart::panels("losses", "Losses".into(), panels);
        let mut out = Vec::new();
        draw(&mut out, &chart);
        let inside = |(x, y): (f64, f64)| {
            (0.0..=f64::from(SIZE.0)).contains(&x) && (0.0..=f64::from(SIZE.1)).contains(&y)
        };
        let (mut bars, mut dots, mut texts) = (0, 0, Vec::new());
        for shape in &out {
            match shape {
                Shape::Line { points, .. } => assert!(points.iter().all(|p| inside(*p))),
                Shape::Rect { from, to, .. } => {
                    assert!(inside(*from) && inside(*to), "{shape:?}");
                    bars += usize::from(from.1 > 100.0);
                }
                Shape::Dot { at, .. } => {
                    assert!(inside(*at));
                    dots += 1;
                }
                Shape::Text { at, text, .. } => {
                    assert!(inside(*at));
                    texts.push(text.as_str());
                }
            }
        }
        assert_eq!((bars, dots), (6, 18), "a setting without values has none");
        assert!(texts.contains(&"1 h 7 min") && texts.contains(&"10 answers"), "{texts:?}");
    }
}
