/**
 * A plugin of typedoc: modules are called what programs import ('toehold/stats'), with the words of their `@module` line below it.
 */
import { Comment, Converter, ReflectionKind } from 'typedoc';

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getReflectionsByKind(ReflectionKind.Module)) {
      const [room = '', about] = module.name.split(/: (.*)/s);
      module.name = room === 'index' ? 'toehold' : `toehold/${room}`;
      if (about === undefined) continue;
      const text = `${about[0]?.toUpperCase()}${about.slice(1)}`;
      module.comment ??= new Comment();
      module.comment.summary.unshift({ kind: 'text', text: `${text}\n` });
    }
  });
}
