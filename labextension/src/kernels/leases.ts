import type { IEngineModel } from '../tokens';
import type { IKernelLease, IWorkload } from '../wire';
import { KernelAnswer } from './kernelAnswer';

/** Which workload each kernel of the server is. */
export class KernelLeases extends KernelAnswer<readonly IKernelLease[]> {
  constructor(model: IEngineModel) {
    super(model, []);
  }

  /** The workload that a kernel is; null where it is none, or not known to be one. */
  workloadOf(kernel: string | null | undefined): IWorkload | null {
    const lease = this.value.find(each => each.kernel === kernel);
    return this.model.workload(lease?.workload ?? '') ?? null;
  }

  protected override request(): Promise<readonly IKernelLease[]> {
    return this.model.requests.leases();
  }
}
