/** What is wrong with a whole file is seen from its first few faults. */
const SHOWN_MAX = 40;

/** The faults of a file of any length, told as they are found. */
export interface FaultList {
  /** Prints a fault of a line, unless enough have been printed. */
  tell(line: number | undefined, fault: string): void;
  /** Counts faults that are known by their number only. */
  omit(count: bigint): void;
  /** Prints how many faults were not printed, if any were not. Called once, at the end. */
  end(): void;
}

/** An empty list that prints by `print`, a line at a time. */
export function createFaultList(print: (text: string) => void): FaultList {
  let shown = 0;
  let omitted = 0n;
  return {
    tell(line, fault) {
      if (shown === SHOWN_MAX) {
        omitted++;
        return;
      }
      shown++;
      print(`line ${line}: ${fault}`);
    },
    omit(count) {
      omitted += count;
    },
    end() {
      if (omitted > 0n) print(`and ${omitted} more faults`);
    },
  };
}
