//! A chart of strips: for each setting the values of its runs as dots along one axis, with the median as a
//! line, the tenth to the ninetieth percentile as a bar, and the figures beside it.
//!
//! Up to a hundred values each get a dot; more are shown as a hundred dots, each for one per cent of them,
//! and the extremes. Dots at the same place are stacked, so that a heap reads as a heap.

use super::canvas::{Anchor, Shape, text_width};
use super::chart::{Chart, Line, SIZE};
use super::draw::{AXIS, GRID, INK, MARGIN, SOFT, TEXT, colour, shorten, text};
use super::ticks;

/// More dots than this are not drawn in a strip.
const DOTS_MAX: usize = 100;
/// More strips than this are not drawn.
pub(super) const STRIPS_MAX: usize = 14;
/// A logarithmic axis is used when the largest value is this many times the smallest.
const LOG_FROM: f64 = 100.0;
const RADIUS: f64 = 3.5;
const HEIGHT_MAX: f64 = 96.0;
/// Room for the title and for the axis.
const TOP: f64 = 76.0;
const BELOW: f64 = 58.0;

/// How high a strip of a chart is.
fn strip_height(chart: &Chart) -> f64 {
    let strips = chart.lines.len().clamp(1, STRIPS_MAX) as f64;
    ((f64::from(SIZE.1) - TOP - BELOW) / strips).min(HEIGHT_MAX).floor()
}

/// How high such a chart is, in pixels: no more than its strips need.
pub(super) fn height(chart: &Chart) -> u32 {
    let strips = chart.lines.len().clamp(1, STRIPS_MAX) as f64;
    (TOP + BELOW + strip_height(chart) * strips) as u32
}

/// Draws strips, axis and figures.
pub(super) fn draw(out: &mut Vec<Shape>, chart: &Chart) {
    let (width, top) = (f64::from(SIZE.0), TOP);
    let lines = &chart.lines[..chart.lines.len().min(STRIPS_MAX)];
    let widest = |texts: &dyn Fn(&Line) -> String, most: f64| {
        lines.iter().map(|l| text_width(&texts(l), TEXT)).fold(0.0, f64::max).min(most)
    };
    let names = widest(&|l| l.name.clone(), 260.0);
    let notes = widest(&|l| l.note.clone(), 300.0);
    let axis = Axis::new(chart, MARGIN + names + 18.0, width - MARGIN - notes - 22.0);
    let strip = strip_height(chart);
    let bottom = top + strip * lines.len() as f64;
    let mut free_from = 0.0;
    for (value, label) in &axis.ticks {
        let x = axis.x(*value);
        out.push(Shape::Line { points: vec![(x, top), (x, bottom)], width: 1.0, colour: GRID });
        let half = text_width(label, TEXT) / 2.0;
        if x - half >= free_from {
            text(out, (x, bottom + 17.0), label, TEXT, Anchor::Middle, SOFT);
            free_from = x + half + 10.0;
        }
    }
    let base = vec![(axis.left, bottom), (axis.right, bottom)];
    out.push(Shape::Line { points: base, width: 1.0, colour: AXIS });
    let what = if axis.log { format!("{} (logarithmic)", chart.what) } else { chart.what.clone() };
    let what = shorten(&what, TEXT, width - 2.0 * MARGIN);
    text(out, (axis.right, bottom + 40.0), &what, TEXT, Anchor::End, SOFT);
    for (index, line) in lines.iter().enumerate() {
        let middle = top + strip * (index as f64 + 0.5);
        let name = shorten(&line.name, TEXT, names + 1.0);
        text(out, (MARGIN, middle), &name, TEXT, Anchor::Start, INK);
        let note = shorten(&line.note, TEXT, notes + 1.0);
        text(out, (axis.right + 22.0, middle), &note, TEXT, Anchor::Start, SOFT);
        if index > 0 {
            let y = top + strip * index as f64;
            let points = vec![(MARGIN, y), (width - MARGIN, y)];
            out.push(Shape::Line { points, width: 1.0, colour: GRID });
        }
        dots(out, &axis, line, index, (middle, strip));
    }
    if chart.lines.len() > lines.len() {
        let more = format!("and {} more settings", chart.lines.len() - lines.len());
        text(out, (MARGIN, bottom + 40.0), &more, TEXT, Anchor::Start, SOFT);
    }
}

struct Axis {
    left: f64,
    right: f64,
    from: f64,
    until: f64,
    log: bool,
    ticks: Vec<ticks::Tick>,
}

impl Axis {
    fn new(chart: &Chart, left: f64, right: f64) -> Axis {
        let values = || chart.lines.iter().flat_map(|l| &l.points).map(|p| p.0);
        let max = values().fold(f64::NEG_INFINITY, f64::max);
        let min = values().fold(f64::INFINITY, f64::min).min(max);
        let log = min > 0.0 && max / min >= LOG_FROM;
        let whole = values().all(|v| v.fract() == 0.0);
        let (from, until, ticks) = match log {
            true => ticks::log(min, max, &chart.unit),
            false => ticks::span(min, max, &chart.unit, whole),
        };
        Axis { left, right, from, until, log, ticks }
    }

    fn x(&self, value: f64) -> f64 {
        let place = |v: f64| if self.log { v.max(1e-300).ln() } else { v };
        let part = (place(value) - place(self.from)) / (place(self.until) - place(self.from));
        self.left + part.clamp(0.0, 1.0) * (self.right - self.left)
    }
}

/// The dots of a strip, its bar and its median.
fn dots(out: &mut Vec<Shape>, axis: &Axis, line: &Line, index: usize, (middle, strip): (f64, f64)) {
    let values: Vec<f64> = line.points.iter().map(|p| p.0).collect();
    let Some((&first, &last)) = values.first().zip(values.last()) else { return };
    let ink = colour(index);
    let at = |per_mille: usize| values[((values.len() * per_mille).div_ceil(1000)).max(1) - 1];
    let room = strip / 2.0 - 8.0;
    let (low, high) = (axis.x(at(100)), axis.x(at(900)));
    let corners = ((low - 1.0, middle - room * 0.9), (high + 1.0, middle + room * 0.9));
    out.push(Shape::Rect { from: corners.0, to: corners.1, colour: ink, alpha: 0.14 });
    let ends = vec![(axis.x(first), middle), (axis.x(last), middle)];
    out.push(Shape::Line { points: ends, width: 1.0, colour: ink });
    let shown: Vec<f64> = match values.len() {
        n if n <= DOTS_MAX => values.clone(),
        n => {
            let one = |i: usize| values[(n * (2 * i + 1)) / (2 * DOTS_MAX)];
            [first].into_iter().chain((0..DOTS_MAX).map(one)).chain([last]).collect()
        }
    };
    // Dots that would cover each other are stacked around the middle; a heap too high is pressed together.
    let column = |v: f64| (axis.x(v) / (2.0 * RADIUS)).round();
    for heap in shown.chunk_by(|a, b| column(*a) == column(*b)) {
        let step = (2.0 * RADIUS).min(2.0 * room / heap.len() as f64);
        let x = heap.iter().map(|v| axis.x(*v)).sum::<f64>() / heap.len() as f64;
        for i in 0..heap.len() {
            let y = middle + (i as f64 - (heap.len() - 1) as f64 / 2.0) * step;
            out.push(Shape::Dot { at: (x, y), radius: RADIUS, colour: ink, alpha: 0.55 });
        }
    }
    let x = axis.x(at(500));
    let points = vec![(x, middle - room), (x, middle + room)];
    out.push(Shape::Line { points, width: 3.0, colour: INK });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(strips: &[Vec<f64>]) -> Chart {
        let mut chart = Chart::strips("x", "X".into(), "x".into(), "s");
        for values in strips {
            let points = values.iter().map(|&v| (v, 0.0)).collect();
            chart.lines.push(Line::new("one".into(), true, points));
        }
        chart
    }

    /// The places of all dots, after a look at every coordinate.
    fn drawn(chart: &Chart) -> Vec<(f64, f64)> {
        let mut out = Vec::new();
        draw(&mut out, chart);
        let inside = |(x, y): (f64, f64)| {
            (0.0..=f64::from(SIZE.0)).contains(&x) && (0.0..=f64::from(height(chart))).contains(&y)
        };
        let mut dots = Vec::new();
        for shape in &out {
            match shape {
                Shape::Dot { at, .. } => dots.push(*at),
                Shape::Line { points, .. } => {
                    assert!(points.iter().all(|p| inside(*p)), "{points:?}")
                }
                Shape::Rect { from, to, .. } => assert!(inside(*from) && inside(*to), "{shape:?}"),
                Shape::Text { at, .. } => assert!(inside(*at), "{shape:?}"),
            }
        }
        assert!(dots.iter().all(|at| inside(*at)), "{dots:?}");
        dots
    }

    #[test]
    fn few_values_get_a_dot_each_and_many_a_hundred_with_their_extremes() {
        let few: Vec<f64> = (1..=40).map(f64::from).collect();
        assert_eq!(drawn(&chart(&[few])).len(), 40);
        let mut many: Vec<f64> = vec![5.0; 5000];
        many.push(900.0);
        let dots = drawn(&chart(&[many, vec![6.0]]));
        assert_eq!(dots.len(), DOTS_MAX + 2 + 1);
        let right = dots.iter().map(|at| at.0).fold(0.0, f64::max);
        let usual = dots[0].0;
        assert!(right > usual + 300.0, "the one far away is seen");
    }

    #[test]
    fn a_heap_stays_in_its_strip_and_a_setting_without_values_is_an_empty_one() {
        let strips = vec![vec![3.0; 100], Vec::new(), vec![0.0], vec![4.0; 100]];
        let dots = drawn(&chart(&strips));
        let strip = strip_height(&chart(&strips));
        assert_eq!(dots.len(), 201);
        assert!(dots[..100].iter().all(|at| at.1 < TOP + strip), "{dots:?}");
        assert!(dots[101..].iter().all(|at| at.1 > TOP + 3.0 * strip), "{dots:?}");
        drawn(&chart(&vec![vec![1.0]; 40]));
    }
}
