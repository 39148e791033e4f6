//! Several sweeps or runs in one comparison.

use crate::measure::sweep::{Combination, Sweep, distinct};

/// Puts sweeps together: the parts of one whole become that whole; different ones stand beside each other,
/// each under the name of its folder.
///
/// # Errors
/// Why parts do not make a whole.
pub fn compare_sweeps(sweeps: Vec<(String, Sweep)>) -> Result<Sweep, String> {
    if sweeps.len() == 1 || sweeps.iter().all(|(_, s)| s.shard.is_some()) {
        let parts: Vec<Sweep> = sweeps.into_iter().map(|(_, s)| s).collect();
        return if parts.len() == 1 {
            Ok(parts.into_iter().next().expect("one"))
        } else {
            Sweep::merge(parts)
        };
    }
    let mut axes = vec!["folder".to_string()];
    let mut expectations: Vec<String> = Vec::new();
    for (_, sweep) in &sweeps {
        axes.extend(sweep.axes.iter().cloned());
        expectations.extend(sweep.expectations.iter().cloned());
    }
    let axes = in_order_once(axes);
    let expectations = in_order_once(expectations);
    let names = distinct(sweeps.iter().map(|(name, _)| name.as_str()));
    let seeds = sweeps.iter().map(|(_, s)| *s.seeds.start()).min().unwrap_or(0)
        ..=sweeps.iter().map(|(_, s)| *s.seeds.end()).max().unwrap_or(0);
    let mut title = in_order_once(sweeps.iter().map(|(_, s)| s.title.clone()).collect());
    title.truncate(3);
    let mut whole = Sweep::new(title.join(" / "), seeds, axes, Vec::new(), expectations);
    for (name, (_, sweep)) in names.into_iter().zip(sweeps) {
        place(&mut whole, name, sweep);
    }
    whole.finish();
    Ok(whole)
}

fn place(whole: &mut Sweep, name: String, sweep: Sweep) {
    let first = whole.combinations.len() as u32;
    for c in &sweep.combinations {
        let mut values = vec![String::new(); whole.axes.len()];
        values[0] = name.clone();
        for (axis, value) in sweep.axes.iter().zip(&c.values) {
            if let Some(i) = whole.axes.iter().position(|a| a == axis) {
                values[i] = value.clone();
            }
        }
        whole.combinations.push(Combination { values, ..c.clone() });
    }
    let place = |id: u32| {
        let name = &sweep.expectations[id as usize];
        whole.expectations.iter().position(|n| n == name).map_or(0, |i| i as u32)
    };
    let mut rows = sweep.rows.clone();
    for row in &mut rows {
        row.judged.iter_mut().for_each(|(id, _)| *id = place(*id));
        row.failures.iter_mut().for_each(|(id, _)| *id = id.map(place));
    }
    whole.append(sweep.measures, rows, first);
}

/// The names without repetitions, each where it came first.
fn in_order_once(names: Vec<String>) -> Vec<String> {
    let mut once: Vec<String> = Vec::new();
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}
