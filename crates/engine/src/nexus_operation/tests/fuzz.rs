//! Random worlds: anything at any time, twice, late, stale or never. Every input is a line of a story, so that
//! a failure prints a story that can be kept. `STEADFAST_FUZZ_SEEDS=100000` tries so many seeds.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::script::Script;

const SEEDS: u64 = 200;
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
    assert!(closed > seeds / 2, "{closed} of {seeds}");
}

/// One world; whether the operation closed in it.
fn world(seed: u64) -> bool {
    let mut dice = Dice(seed);
    let mut script = Script::default();
    let mut story = vec![dice.start()];
    let mut closed = false;
    while story.len() < STEPS {
        let line = story.last().cloned().unwrap_or_default();
        let played = catch_unwind(AssertUnwindSafe(|| drop(script.play(&line))));
        if let Err(panic) = played {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            panic!("seed {seed}: {text}\n{}", story.join("\n----\n\n"));
        }
        let state = script.world.state.as_ref();
        closed |= state.is_some_and(|state| !state.is_open());
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
            self.pick(&["", " s2c=30s", " s2c=300s", " s2c=1s"]),
            self.pick(&["", "", " s2s=5s"]),
            self.pick(&["", " stc=10s"]),
            self.pick(&["", " conflict=use"]),
            self.pick(&["", " reuse=failed", " reuse=reject"]),
            self.pick(&["", " request=r1", " request=r2"]),
        ];
        format!("start{}", parts.concat())
    }

    fn line(&mut self) -> String {
        match self.roll(20) {
            0..=4 => format!(
                "handler refuses{}",
                self.pick(&["", "", "", " attempt=0", " type=BAD_REQUEST"])
            ),
            5 | 6 => "handler starts".to_owned(),
            7 => self
                .pick(&["handler succeeds", "handler fails", "handler cancels"])
                .to_owned(),
            8 => format!("handler takes-cancel{}", self.pick(&["", "", " attempt=0"])),
            9 | 10 => format!(
                "handler refuses-cancel{}",
                self.pick(&["", "", " type=NOT_FOUND"])
            ),
            11 => format!(
                "handler completes{}",
                self.pick(&["", " canceled", " request=other"])
            ),
            12 | 13 => format!("cancel{}", self.pick(&[" request=a", " request=b"])),
            14 => self
                .pick(&["crash", "crash", "terminate request=t", "delete", "start"])
                .to_owned(),
            15 => "crash".to_owned(),
            16 => self.start(),
            _ => format!("clock {}", self.pick(&["+1s", "+4s", "+20s", "+200s"])),
        }
    }
}
