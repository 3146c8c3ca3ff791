//! Jitter: a delay that follows from the time and the schedule alone, so that it is the same whenever it
//! is asked for. The hash is FarmHash's 32-bit fingerprint, as in the reference, so that a schedule that
//! moves here keeps its times.

use std::time::Duration;

/// Seconds from the first of January of year 1, from which the hashed time counts, to the epoch.
const YEAR_ONE_TO_EPOCH: i64 = 62_135_596_800;

/// The delay of a nominal time, less than `most`.
pub(super) fn of(seed: &str, nominal: i64, most: Duration) -> Duration {
    let hash = u64::from(fingerprint(&hashed(seed, nominal)));
    // Milliseconds, so that the product fits.
    let most = u32::try_from(most.as_millis()).unwrap_or(u32::MAX);
    Duration::from_millis((hash * u64::from(most)) >> 32)
}

/// What is hashed: the time as Go writes it in binary, then the seed.
fn hashed(seed: &str, nominal: i64) -> Vec<u8> {
    const VERSION: u8 = 1;
    let mut bytes = vec![VERSION];
    bytes.extend((nominal.wrapping_add(YEAR_ONE_TO_EPOCH)).to_be_bytes());
    bytes.extend([0; 4]); // nanoseconds
    bytes.extend((-1_i16).to_be_bytes()); // UTC
    bytes.extend(seed.as_bytes());
    bytes
}

const C1: u32 = 0xcc9e_2d51;
const C2: u32 = 0x1b87_3593;

/// One step of mixing a hash.
fn stir(hash: u32, by: u32) -> u32 {
    hash.rotate_right(by)
        .wrapping_mul(5)
        .wrapping_add(0xe654_6b64)
}

fn scramble(word: u32) -> u32 {
    word.wrapping_mul(C1).rotate_right(17).wrapping_mul(C2)
}

fn mur(word: u32, hash: u32) -> u32 {
    stir(hash ^ scramble(word), 19)
}

/// The word at a place that the caller knows to be there.
fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

/// FarmHash's fingerprint of more than 24 bytes: a time takes 15, and a seed begins with a namespace's id.
fn fingerprint(bytes: &[u8]) -> u32 {
    let length = bytes.len();
    debug_assert!(length > 24);
    // Only the low bits of the length count.
    let seed = length as u32;
    let tail = |back: usize| scramble(word(bytes, length - back));
    let (mut h, mut g) = (seed, C1.wrapping_mul(seed));
    let mut f = g;
    h = stir(h ^ tail(4), 19);
    h = stir(h ^ tail(16), 19);
    g = stir(g ^ tail(8), 19);
    g = stir(g ^ tail(12), 19);
    f = f.wrapping_add(tail(20)).rotate_right(19).wrapping_add(113);
    for block in bytes.chunks(20).take((length - 1) / 20) {
        let [a, b, c, d, e] = [0, 4, 8, 12, 16].map(|at| word(block, at));
        h = h.wrapping_add(a);
        g = g.wrapping_add(b);
        f = f.wrapping_add(c);
        h = mur(d, h).wrapping_add(e);
        g = mur(c, g).wrapping_add(a);
        f = mur(b.wrapping_add(e.wrapping_mul(C1)), f).wrapping_add(d);
        f = f.wrapping_add(g);
        g = g.wrapping_add(f);
    }
    let spread = |word: u32| {
        let word = word.rotate_right(11).wrapping_mul(C1);
        word.rotate_right(17).wrapping_mul(C1)
    };
    for other in [spread(g), spread(f)] {
        h = stir(h.wrapping_add(other), 19);
        h = h.rotate_right(17).wrapping_mul(C1);
    }
    h
}
