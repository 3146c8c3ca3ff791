import { defineSearchAttributeKey } from '@temporalio/common';
import * as wf from '@temporalio/workflow';

export const COLOR = defineSearchAttributeKey('TestColor', 'KEYWORD');
export const SIZE = defineSearchAttributeKey('TestSize', 'INT');
export const WEIGHT = defineSearchAttributeKey('TestWeight', 'DOUBLE');
export const FRAGILE = defineSearchAttributeKey('TestFragile', 'BOOL');
export const PACKED = defineSearchAttributeKey('TestPacked', 'DATETIME');
export const TAGS = defineSearchAttributeKey('TestTags', 'KEYWORD_LIST');
export const ATTRIBUTES = [COLOR, SIZE, WEIGHT, FRAGILE, PACKED, TAGS];

/** Paints itself when it is told to. */
export const paint = wf.defineSignal<[string | null]>('paint');
export const ship = wf.defineSignal('ship');
export async function parcel(): Promise<void> {
  let shipped = false;
  wf.setHandler(paint, (color) => {
    wf.upsertSearchAttributes([{ key: COLOR, value: color }]);
    wf.upsertMemo({ painted: color });
  });
  wf.setHandler(ship, () => {
    shipped = true;
  });
  await wf.condition(() => shipped);
}
