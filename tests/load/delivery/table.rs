//! The figures of all fleets side by side.
//!
//! Never hides a goal that is missed.

use std::fmt;

/// What was measured, in the unit that its name says.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    /// The least, the median and the most; the same thrice where there was one turn.
    pub(crate) values: [f64; 3],
    pub(crate) goal: Goal,
}

/// What a figure must reach, for the largest fleet.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    None,
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    pub(crate) fn of(name: &'static str, mut turns: Vec<f64>, goal: Goal) -> Self {
        turns.sort_by(f64::total_cmp);
        let at = |place: usize| turns.get(place).copied().unwrap_or(f64::NAN);
        let values = [
            at(0),
            at(turns.len() / 2),
            at(turns.len().saturating_sub(1)),
        ];
        Self { name, values, goal }
    }

    pub(crate) fn one(name: &'static str, value: f64, goal: Goal) -> Self {
        Self::of(name, vec![value], goal)
    }

    fn verdict(&self) -> String {
        let [_, median, _] = self.values;
        let (holds, goal) = match self.goal {
            Goal::None => return String::new(),
            Goal::AtMost(goal) => (median <= goal, format!("at most {goal}")),
            Goal::AtLeast(goal) => (median >= goal, format!("at least {goal}")),
        };
        let verdict = if holds { "holds" } else { "does not hold" };
        format!("{goal}: {verdict}")
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [least, median, most] = self.values;
        let digits = if median < 100.0 { 1 } else { 0 };
        write!(f, "{median:.digits$}")?;
        if most - least > 0.0 {
            write!(f, " ({least:.digits$} to {most:.digits$})")?;
        }
        Ok(())
    }
}

/// A column for each fleet, a row for each figure.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<(usize, Vec<Figure>)>);

impl Table {
    pub(crate) fn add(&mut self, proxies: usize, figures: Vec<Figure>) {
        self.0.push((proxies, figures));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n| median (least to most) |")?;
        for (proxies, _) in &self.0 {
            write!(f, " {proxies} proxies |")?;
        }
        write!(f, " goal |\n|---|{}---|", "---|".repeat(self.0.len()))?;
        let Some((_, last)) = self.0.last() else {
            return writeln!(f);
        };
        for figure in last {
            write!(f, "\n| {} |", figure.name)?;
            for (_, figures) in &self.0 {
                match figures.iter().find(|other| other.name == figure.name) {
                    Some(figure) => write!(f, " {figure} |")?,
                    None => write!(f, " - |")?,
                }
            }
            write!(f, " {} |", figure.verdict())?;
        }
        writeln!(f)
    }
}
