//! Where on the ring an execution lies. The ring never changes its size: what is stored depends on it.

use std::ops::Range;

use uuid::Uuid;

/// Slots on the ring.
pub const SLOT_COUNT: u16 = 16_384;

/// The slot of all runs of a workflow id: FNV-1a over namespace id and workflow id, mixed at the end
/// because its low bits alone are weak. Fixed for ever: stored executions carry it.
pub fn slot_of(namespace: Uuid, workflow_id: &str) -> u16 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in namespace.as_bytes().iter().chain(workflow_id.as_bytes()) {
        hash ^= u64::from(*byte);
        hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The top 14 bits: 16,384 values.
    (hash >> 50) as u16
}

/// Which of `count` shards owns a slot.
pub(super) fn shard_of(slot: u16, count: u32) -> u32 {
    u32::from(slot) * count / u32::from(SLOT_COUNT)
}

/// The slots that shard `index` of `count` owns.
pub(super) fn slots_of(index: u32, count: u32) -> Range<u16> {
    let begin = |i: u32| {
        let slots = u32::from(SLOT_COUNT);
        // At most SLOT_COUNT, which fits.
        (i * slots).div_ceil(count) as u16
    };
    begin(index)..begin(index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_never_changes() {
        let namespace = Uuid::from_u128(0x1234);
        let slots: Vec<u16> = ["", "order-1", "order-2"]
            .map(|id| slot_of(namespace, id))
            .into();
        assert_eq!(slots, GOLDEN);
    }

    const GOLDEN: [u16; 3] = [15_544, 4_804, 15_665];

    #[test]
    fn every_slot_has_one_shard() {
        for count in 1..=7 {
            for index in 0..count {
                for slot in slots_of(index, count) {
                    assert_eq!(shard_of(slot, count), index);
                }
            }
            assert_eq!(slots_of(0, count).start, 0);
            assert_eq!(slots_of(count - 1, count).end, SLOT_COUNT);
        }
    }

    #[test]
    fn ids_spread_over_the_ring() {
        let namespace = Uuid::from_u128(7);
        let mut counts = [0_u32; 4];
        for i in 0..4000 {
            let slot = slot_of(namespace, &format!("order-{i}"));
            counts[usize::try_from(shard_of(slot, 4)).unwrap()] += 1;
        }
        assert!(counts.iter().all(|c| (900..1100).contains(c)), "{counts:?}");
    }
}
