//! Random worlds: anything at any time, twice, late, stale or never. Every input is a line of a story, so that
//! a failure prints a story that can be kept. `STEADFAST_FUZZ_SEEDS=100000` tries so many seeds.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::script::Script;

const SEEDS: u64 = 400;
const STEPS: usize = 60;

#[test]
fn random_worlds_keep_the_invariants() {
    let seeds = std::env::var("STEADFAST_FUZZ_SEEDS").ok();
    let seeds = seeds.map_or(SEEDS, |text| text.parse().expect("a number"));
    let mut closed = 0;
    for seed in 0..seeds {
        closed += u64::from(world(seed));
    }
    // Most lives come to an end, else the worlds are too tame.
    assert!(closed > seeds / 4, "{closed} of {seeds}");
}

/// One world; whether the activity closed in it.
fn world(seed: u64) -> bool {
    let mut dice = Dice(seed);
    let mut script = Script::default();
    let mut story = vec![dice.start()];
    let mut closed = false;
    while story.len() < STEPS {
        let line = story.last().cloned().unwrap_or_default();
        // A line that makes no sense here, such as a poll without an offer, is passed over.
        let played = catch_unwind(AssertUnwindSafe(|| drop(script.play(&line))));
        if let Err(panic) = played {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            panic!("seed {seed}: {text}\n{}", story.join("\n----\n\n"));
        }
        closed |= script
            .world
            .state
            .as_ref()
            .is_some_and(|state| !state.is_open());
        story.push(dice.line());
    }
    closed
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.roll(of.len() as u64)).unwrap_or(0)]
    }

    fn start(&mut self) -> String {
        let parts = [
            self.pick(&["", " s2c=30s", " s2c=300s"]),
            self.pick(&["", " s2s=5s"]),
            self.pick(&["", " stc=10s", " stc=1s"]),
            self.pick(&["", " hb=3s"]),
            self.pick(&["", " attempts=1", " attempts=3"]),
            self.pick(&["", " interval=1s", " interval=20s"]),
            self.pick(&["", "", " delay=4s"]),
            self.pick(&["", " conflict=use"]),
            self.pick(&["", " reuse=failed", " reuse=reject"]),
            self.pick(&["", " request=r1", " request=r2"]),
            self.pick(&["", " attach", " attach"]),
            self.pick(&["", " callback-to=https://h/c"]),
            self.pick(&["", " callback-for=w"]),
        ];
        format!("start{}", parts.concat())
    }

    fn line(&mut self) -> String {
        match self.roll(21) {
            0..=4 => format!("worker polls{}", self.pick(&["", "", " again", " offer=0"])),
            5 | 6 => format!(
                "worker heartbeats{}",
                self.pick(&[" details=x", "", " by-id", " task=0"])
            ),
            7 => format!("worker completes{}", self.pick(&["", " by-id", " task=0"])),
            8..=10 => format!(
                "worker fails{}",
                self.pick(&[
                    "",
                    "",
                    " for-good",
                    " delay=5s",
                    " by-id",
                    " task=0",
                    " silently"
                ])
            ),
            11 => self
                .pick(&[
                    "worker cancels",
                    "worker cancels",
                    "worker cancels",
                    "delete",
                ])
                .to_owned(),
            12 => format!("cancel{}", self.pick(&["", " request=c"])),
            13 => self
                .pick(&["pause", "pause request=p", "terminate"])
                .to_owned(),
            14 => self
                .pick(&["unpause", "unpause request=u jitter=3s"])
                .to_owned(),
            15 => self
                .pick(&["reset", "reset keep-paused", "reset heartbeat options"])
                .to_owned(),
            16 => self
                .pick(&[
                    "crash",
                    "update stc=5s",
                    "update interval=3s",
                    "update original",
                    "update delay=9s",
                    "update queue=z",
                ])
                .to_owned(),
            17 => self.start(),
            18 => {
                let answer = self.pick(&["taken", "refused", "refused final"]);
                let who = self.pick(&["callback", "callback", "peer"]);
                let index = self.pick(&["", " index=1", " index=2"]);
                let answer = match (who, answer) {
                    ("peer", "taken") => "taken",
                    ("peer", _) => "missing",
                    _ => answer,
                };
                format!("{who} {answer}{index}")
            }
            _ => format!("clock {}", self.pick(&["+1s", "+4s", "+20s", "+200s"])),
        }
    }
}
