import { ReactWidget } from '@jupyterlab/ui-components';
import type { JSX } from 'react';

import { AskForm } from '../components/submit/AskForm';
import type { IAskFormProps } from '../components/submit/AskForm';
import type { Values } from '../submission/filling';

/** A few fields, as the body of a dialog. */
export class AskWidget extends ReactWidget {
  constructor(options: Omit<IAskFormProps, 'change'>) {
    super();
    this._options = options;
    this._values = options.first;
    this.addClass('jp-Runai-submitWidget');
  }

  /** What the fields hold; what a dialog answers with. */
  getValue(): Values {
    return this._values;
  }

  protected override render(): JSX.Element {
    return (
      <AskForm
        {...this._options}
        change={values => {
          this._values = values;
        }}
      />
    );
  }

  private readonly _options: Omit<IAskFormProps, 'change'>;
  private _values: Values;
}
