import type { TranslationBundle } from '@jupyterlab/translation';
import { caretDownEmptyIcon } from '@jupyterlab/ui-components';
import { useEffect, useId, useRef, useState } from 'react';
import type { JSX, RefObject } from 'react';

import type { IColumn } from '../../table/columns';
import type { IColumnLayout } from './useColumns';

/** What the menu shows. */
export interface IColumnsMenuProps {
  readonly layout: IColumnLayout;
  readonly trans: TranslationBundle;
  readonly reset: () => void;
}

/** Which columns are shown, in which order. */
export function ColumnsMenu(props: IColumnsMenuProps): JSX.Element {
  const { layout, trans, reset } = props;
  const [isOpen, setIsOpen] = useState(false);
  const id = useId();
  const menu = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  useClosedByPress(menu, isOpen, setIsOpen);
  return (
    <div
      ref={menu}
      className="jp-Runai-menu"
      onKeyDown={event => {
        if (event.key === 'Escape' && isOpen) {
          event.stopPropagation();
          setIsOpen(false);
          opener.current?.focus();
        }
      }}
    >
      <button
        ref={opener}
        type="button"
        className="jp-Runai-action"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => {
          setIsOpen(!isOpen);
        }}
      >
        {trans.__('Columns')}{' '}
        <caretDownEmptyIcon.react tag="span" width="10px" height="10px" />
      </button>
      <div
        id={id}
        hidden={!isOpen}
        role="group"
        aria-label={trans.__('Columns')}
        className="jp-Runai-menuList"
      >
        {isOpen
          ? layout.all.map(column => (
              <Entry
                key={column.id}
                column={column}
                layout={layout}
                trans={trans}
              />
            ))
          : null}
        <button type="button" className="jp-Runai-link" onClick={reset}>
          {trans.__('Back to the usual columns')}
        </button>
      </div>
    </div>
  );
}

/** Close the menu when somebody presses elsewhere. */
function useClosedByPress(
  menu: RefObject<HTMLElement>,
  isOpen: boolean,
  setIsOpen: (isOpen: boolean) => void
): void {
  useEffect(() => {
    if (!isOpen) {
      return;
    }
    const onPress = ({ target }: MouseEvent): void => {
      if (target instanceof Node && !menu.current?.contains(target)) {
        setIsOpen(false);
      }
    };
    document.addEventListener('mousedown', onPress);
    return () => {
      document.removeEventListener('mousedown', onPress);
    };
  }, [menu, isOpen, setIsOpen]);
}

interface IEntryProps extends Pick<IColumnsMenuProps, 'layout' | 'trans'> {
  readonly column: IColumn;
}

function Entry({ column, layout, trans }: IEntryProps): JSX.Element {
  const { id, title } = column;
  return (
    <div className="jp-Runai-menuEntry">
      <label>
        <input
          type="checkbox"
          checked={layout.isVisible(id)}
          disabled={id === 'name'}
          onChange={({ currentTarget }) => {
            layout.show(id, currentTarget.checked);
          }}
        />{' '}
        {title}
      </label>
      <button
        type="button"
        className="jp-Runai-iconButton"
        aria-label={trans.__('Move %1 to the left', title)}
        title={trans.__('Move %1 to the left', title)}
        onClick={() => {
          layout.move(id, -1);
        }}
      >
        ↑
      </button>
      <button
        type="button"
        className="jp-Runai-iconButton"
        aria-label={trans.__('Move %1 to the right', title)}
        title={trans.__('Move %1 to the right', title)}
        onClick={() => {
          layout.move(id, 1);
        }}
      >
        ↓
      </button>
    </div>
  );
}
