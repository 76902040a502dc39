import { ReactWidget } from '@jupyterlab/ui-components';
import { PromiseDelegate } from '@lumino/coreutils';
import type { Message } from '@lumino/messaging';
import { useEffect } from 'react';
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

  // The dialog gives the form the focus once this is kept. The idle time that
  // is waited for elsewhere may come late on a busy page, and keys go astray.
  protected override onUpdateRequest(message: Message): void {
    super.onUpdateRequest(message);
    this.renderPromise = this._rendered.promise;
  }

  protected override render(): JSX.Element {
    return (
      <>
        <AskForm
          {...this._options}
          change={values => {
            this._values = values;
          }}
        />
        <Effect effect={this._tellRendered} />
      </>
    );
  }

  private readonly _tellRendered = (): void => {
    this._rendered.resolve();
  };

  private readonly _options: Omit<IAskFormProps, 'change'>;
  private readonly _rendered = new PromiseDelegate<void>();
  private _values: Values;
}

/** Does something once what stands beside it is rendered. */
function Effect({ effect }: { readonly effect: () => void }): null {
  useEffect(effect, [effect]);
  return null;
}
