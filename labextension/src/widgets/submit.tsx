import { ReactWidget } from '@jupyterlab/ui-components';
import type { JSX } from 'react';

import { SubmitForm } from '../components/submit/SubmitForm';
import type { ISubmitFormProps } from '../components/submit/SubmitForm';
import { toSpec } from '../submission/draft';
import type { Draft } from '../submission/draft';
import type { IProblem, IWorkloadSpec } from '../wire';

/** The form of a submission, as the body of a dialog. */
export class SubmitWidget extends ReactWidget {
  constructor(options: Omit<ISubmitFormProps, 'change'>) {
    super();
    this._options = options;
    this._draft = options.first;
    this.addClass('jp-Runai-submitWidget');
  }

  /** What the fields hold. */
  get draft(): Draft {
    return this._draft;
  }

  /** A form that holds the same and says why it was refused. */
  refused(refusal: IProblem): SubmitWidget {
    return new SubmitWidget({
      ...this._options,
      first: this._draft,
      refusal
    });
  }

  /** The same as a submission; what a dialog answers with. */
  getValue(): IWorkloadSpec {
    return toSpec(this._draft, this._options.base);
  }

  protected override render(): JSX.Element {
    return (
      <SubmitForm
        {...this._options}
        change={draft => {
          this._draft = draft;
        }}
      />
    );
  }

  private readonly _options: Omit<ISubmitFormProps, 'change'>;
  private _draft: Draft;
}
