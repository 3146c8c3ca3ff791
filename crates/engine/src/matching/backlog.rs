//! The tasks that wait: a level for each priority, in it a line for each fairness key.
//!
//! Between lines turns are shared out by virtual time (stride scheduling): a line's pass moves on
//! with each of its tasks, the slower the greater its weight, and the line with the least pass is
//! next. A line that was empty joins at the pass that the level has reached, or at its own if that
//! is further: whoever comes seldom does not wait, and whoever comes one by one gains nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::limiter::Pace;
use super::{PRIORITY_MAX, TaskMeta};

/// Pass of one task of weight 1. Weights are from 0.001, so that none moves by less than 1, …
const STRIDE: f64 = 1000.0;
const WEIGHT_MIN: f32 = 0.001;
/// … to where a stride would be less than 1.
const WEIGHT_MAX: f32 = 1000.0;

/// A level keeps so many lines, empty ones included, before it sweeps.
const EMPTY_LINES: usize = 64;

/// More empty lines than this are not kept after a sweep.
const EMPTY_LINES_MAX: usize = 4096;

/// What a line may do, besides its turn.
#[derive(Debug, Default)]
pub(super) struct KeyPace {
    /// How often, for a weight of 1.
    pub(super) pace: Pace,
    /// Weights that go before those of the tasks.
    pub(super) weights: BTreeMap<String, f32>,
}

impl KeyPace {
    fn weight(&self, key: &str, of_tasks: f32) -> f32 {
        let weight = self.weights.get(key).copied().unwrap_or(of_tasks);
        if weight > 0.0 {
            weight.clamp(WEIGHT_MIN, WEIGHT_MAX)
        } else {
            1.0
        }
    }
}

/// All levels.
#[derive(Debug)]
pub(super) struct Backlog<T> {
    levels: [Level<T>; PRIORITY_MAX as usize],
    len: usize,
}

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        Self {
            levels: std::array::from_fn(|_| Level::default()),
            len: 0,
        }
    }
}

impl<T> Backlog<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The level of a priority from 1 to [`PRIORITY_MAX`].
    pub(super) fn level(&self, priority: i32) -> &Level<T> {
        &self.levels[index(priority)]
    }

    /// Puts a task where it belongs, and tells where that is.
    pub(super) fn push(&mut self, priority: i32, task: T, meta: TaskMeta<'_>) -> Place {
        self.len += 1;
        let (key, seq) = self.levels[index(priority)].push(task, meta);
        Place { priority, key, seq }
    }

    /// Takes a task out of the middle, if it still waits there.
    pub(super) fn remove(&mut self, place: &Place) -> Option<T> {
        let task = self.levels[index(place.priority)].remove(&place.key, place.seq)?;
        self.len -= 1;
        Some(task)
    }

    /// The next task that its key's pace lets go, and its priority.
    pub(super) fn pop(&mut self, keys: &KeyPace, now_ns: i64) -> Option<(i32, T)> {
        for (priority, level) in (1..).zip(&mut self.levels) {
            if let Some(task) = level.pop(keys, now_ns) {
                self.len -= 1;
                return Some((priority, task));
            }
        }
        None
    }

    /// From when on it is worth to ask [`Backlog::pop`] again, once it gave nothing; none when
    /// there is no task.
    pub(super) fn ready_ns(&self) -> Option<i64> {
        self.levels.iter().filter_map(Level::ready_ns).min()
    }

    /// Brings the instants of another pace within reach of a new one.
    pub(super) fn clip(&mut self, pace: Pace, now_ns: i64) {
        for level in &mut self.levels {
            level.clip(pace, now_ns);
        }
    }

    /// All tasks, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let lines = self.levels.iter().flat_map(|level| level.lines.values());
        lines
            .flat_map(|line| &line.tasks)
            .filter_map(|queued| queued.task.as_ref())
    }

    pub(super) fn drain(&mut self) -> Vec<T> {
        self.clip(Pace::Unlimited, 0);
        let unlimited = KeyPace::default();
        std::iter::from_fn(|| self.pop(&unlimited, 0).map(|(_, task)| task)).collect()
    }
}

fn index(priority: i32) -> usize {
    // In range by `clamp_priority`.
    usize::try_from(priority - 1)
        .unwrap_or(0)
        .min(PRIORITY_MAX as usize - 1)
}

/// Where a task waits.
#[derive(Clone, Debug)]
pub(super) struct Place {
    priority: i32,
    key: Arc<str>,
    seq: i64,
}

/// The tasks of one priority.
#[derive(Debug)]
pub(super) struct Level<T> {
    lines: BTreeMap<Arc<str>, Line<T>>,
    /// Lines with tasks, by pass, then by whose turn was longest ago.
    turns: BTreeSet<(u64, u64, Arc<str>)>,
    /// Lines with tasks that their pace holds back, by the instant from which they may go on.
    held: BTreeSet<(i64, Arc<str>)>,
    /// Heads of lines, by age.
    ages: BTreeSet<(i64, Arc<str>)>,
    /// The pass that the level has reached: that of the last task that left, …
    pass: u64,
    /// … or when none is left, the furthest of all lines, so that all start anew from there.
    furthest: u64,
    next_turn: u64,
    /// Numbers for those at the end of a line, …
    next_seq: i64,
    /// … and for those who come back to its head.
    head_seq: i64,
    sweep_at: usize,
    len: usize,
}

#[derive(Debug)]
struct Line<T> {
    /// In the order of their numbers. The head is there; what was taken out behind it leaves a gap.
    tasks: VecDeque<Queued<T>>,
    gaps: usize,
    /// Where its next task stands.
    pass: u64,
    /// When it last took its place.
    turn: u64,
    /// What its last task said.
    weight: f32,
    /// From when on its pace lets it go on.
    ready_ns: i64,
}

#[derive(Debug)]
struct Queued<T> {
    task: Option<T>,
    created_at_ns: i64,
    seq: i64,
}

impl<T> Default for Level<T> {
    fn default() -> Self {
        Self {
            lines: BTreeMap::new(),
            turns: BTreeSet::new(),
            held: BTreeSet::new(),
            ages: BTreeSet::new(),
            pass: 0,
            furthest: 0,
            next_turn: 1,
            next_seq: 0,
            head_seq: 0,
            sweep_at: EMPTY_LINES,
            len: 0,
        }
    }
}

impl<T> Level<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[cfg(test)]
    pub(super) fn line_count(&self) -> usize {
        self.lines.len()
    }

    /// When the oldest of the heads of lines became ready.
    pub(super) fn oldest_ns(&self) -> Option<i64> {
        self.ages.first().map(|(created_at_ns, _)| *created_at_ns)
    }

    fn push(&mut self, task: T, meta: TaskMeta<'_>) -> (Arc<str>, i64) {
        let key: Arc<str> = match self.lines.get_key_value(meta.fairness_key) {
            Some((key, _)) => key.clone(),
            None => meta.fairness_key.into(),
        };
        let line = self.lines.entry(key.clone()).or_default();
        self.len += 1;
        let seq = if meta.returned {
            self.head_seq -= 1;
            self.head_seq
        } else {
            self.next_seq += 1;
            self.next_seq
        };
        let queued = Queued {
            task: Some(task),
            created_at_ns: meta.created_at_ns,
            seq,
        };
        line.weight = meta.fairness_weight;
        if meta.returned {
            // Back to where it stood: at the head, and the line is next.
            if let Some(head) = line.tasks.front() {
                self.ages.remove(&(head.created_at_ns, key.clone()));
                self.turns.remove(&(line.pass, line.turn, key.clone()));
                self.held.remove(&(line.ready_ns, key.clone()));
            }
            line.tasks.push_front(queued);
            line.pass = line.pass.min(self.pass);
            line.turn = 0;
        } else {
            line.tasks.push_back(queued);
            if line.tasks.len() > 1 {
                return (key, seq);
            }
            line.pass = line.pass.max(self.pass);
            line.turn = self.next_turn;
            self.next_turn += 1;
        }
        self.turns.insert((line.pass, line.turn, key.clone()));
        self.ages.insert((meta.created_at_ns, key.clone()));
        (key, seq)
    }

    fn remove(&mut self, key: &Arc<str>, seq: i64) -> Option<T> {
        let line = self.lines.get_mut(key)?;
        let index = line.tasks.binary_search_by_key(&seq, |queued| queued.seq);
        let index = index.ok()?;
        let task = line.tasks.get_mut(index)?.task.take()?;
        self.len -= 1;
        if self.len == 0 {
            self.pass = self.furthest;
        }
        line.gaps += 1;
        if index > 0 {
            line.close_gaps();
            return Some(task);
        }
        self.ages
            .remove(&(line.tasks.front()?.created_at_ns, key.clone()));
        line.skip_gaps();
        if let Some(head) = line.tasks.front() {
            self.ages.insert((head.created_at_ns, key.clone()));
        } else {
            self.turns.remove(&(line.pass, line.turn, key.clone()));
            self.held.remove(&(line.ready_ns, key.clone()));
        }
        Some(task)
    }

    fn pop(&mut self, keys: &KeyPace, now_ns: i64) -> Option<T> {
        self.let_go(now_ns);
        loop {
            let (pass, _, key) = self.turns.pop_first()?;
            let line = self.lines.get_mut(&key)?;
            if line.ready_ns > now_ns {
                self.held.insert((line.ready_ns, key));
                continue;
            }
            let Queued {
                task,
                created_at_ns,
                ..
            } = line.tasks.pop_front()?;
            line.skip_gaps();
            let weight = keys.weight(&key, line.weight);
            line.ready_ns = keys.pace.weighted(weight).after(line.ready_ns, now_ns);
            line.pass = pass.saturating_add((STRIDE / f64::from(weight)) as u64);
            self.furthest = self.furthest.max(line.pass);
            self.len -= 1;
            self.pass = if self.len == 0 { self.furthest } else { pass };
            self.ages.remove(&(created_at_ns, key.clone()));
            if let Some(head) = line.tasks.front() {
                line.turn = self.next_turn;
                self.next_turn += 1;
                self.ages.insert((head.created_at_ns, key.clone()));
                self.turns.insert((line.pass, line.turn, key));
            } else {
                self.forget_empty_lines(now_ns);
            }
            // There by what is said of a line's head.
            return task;
        }
    }

    /// Lines that may go on take their places again.
    fn let_go(&mut self, now_ns: i64) {
        while let Some((ready_ns, _)) = self.held.first()
            && *ready_ns <= now_ns
            && let Some((_, key)) = self.held.pop_first()
            && let Some(line) = self.lines.get_mut(&key)
        {
            line.pass = line.pass.max(self.pass);
            self.turns.insert((line.pass, line.turn, key));
        }
    }

    /// Drops empty lines that stand where a new one would. A sweep is paid for by the lines that
    /// came since the one before.
    fn forget_empty_lines(&mut self, now_ns: i64) {
        if self.lines.len() < self.sweep_at {
            return;
        }
        let pass = self.pass;
        self.lines
            .retain(|_, line| !line.tasks.is_empty() || line.pass > pass || line.ready_ns > now_ns);
        let empty = self.lines.len() - self.turns.len() - self.held.len();
        if empty > EMPTY_LINES_MAX {
            // So many keys that came and went: what they are owed is too little to remember.
            self.lines.retain(|_, line| !line.tasks.is_empty());
        }
        self.sweep_at = self.lines.len() * 2 + EMPTY_LINES;
    }

    fn ready_ns(&self) -> Option<i64> {
        // Of a line that was not asked yet nothing is known: it is asked at once.
        let untried = (!self.turns.is_empty()).then_some(0);
        untried.or_else(|| self.held.first().map(|(ready_ns, _)| *ready_ns))
    }

    fn clip(&mut self, pace: Pace, now_ns: i64) {
        for line in self.lines.values_mut() {
            line.ready_ns = pace.clip(line.ready_ns, now_ns);
        }
        for (_, key) in std::mem::take(&mut self.held) {
            if let Some(line) = self.lines.get_mut(&key) {
                line.pass = line.pass.max(self.pass);
                self.turns.insert((line.pass, line.turn, key));
            }
        }
    }
}

impl<T> Line<T> {
    /// Brings the next task to the head.
    fn skip_gaps(&mut self) {
        while self.tasks.front().is_some_and(|head| head.task.is_none()) {
            self.tasks.pop_front();
            self.gaps -= 1;
        }
    }

    /// Closes up once gaps are the greater part: paid for by those who left them.
    fn close_gaps(&mut self) {
        if self.gaps * 2 > self.tasks.len() {
            self.tasks.retain(|queued| queued.task.is_some());
            self.gaps = 0;
        }
    }
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self {
            tasks: VecDeque::new(),
            gaps: 0,
            pass: 0,
            turn: 0,
            weight: 1.0,
            ready_ns: 0,
        }
    }
}
