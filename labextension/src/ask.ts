import { Dialog } from '@jupyterlab/apputils';

import type { IAskFormProps } from './components/submit/AskForm';
import type { Values } from './submission/filling';
import { AskWidget } from './widgets/ask';

/** The field to begin at: the one that was refused, else the first that is typed in. */
const TO_FILL_IN =
  '[aria-invalid="true"], form:not(:has([aria-invalid="true"])) input';

/** A question: its form, and the words of its dialog. */
export interface IQuestion extends Omit<IAskFormProps, 'change'> {
  readonly title: string;

  /** What the button says that does it. */
  readonly accept: string;
}

/** Let the user fill in a few fields; null where they give up. */
export async function ask(question: IQuestion): Promise<Values | null> {
  const { title, accept, ...form } = question;
  const dialog = new Dialog<Values>({
    title,
    body: new AskWidget(form),
    focusNodeSelector: TO_FILL_IN,
    buttons: [
      Dialog.cancelButton({ label: form.trans.__('Cancel') }),
      Dialog.okButton({ label: accept })
    ]
  });
  const { button, value } = await dialog.launch();
  return button.accept ? value : null;
}
