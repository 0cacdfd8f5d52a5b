import ts from 'typescript'; import path from 'node:path';
const cfg=ts.getParsedCommandLineOfConfigFile('tsconfig.json',{}, {...ts.sys,onUnRecoverableConfigFileDiagnostic(){}});
const files=cfg.fileNames; const host={getScriptFileNames:()=>files,getScriptVersion:()=>'1',getScriptSnapshot:f=>ts.sys.fileExists(f)?ts.ScriptSnapshot.fromString(ts.sys.readFile(f)):undefined,getCurrentDirectory:()=>process.cwd(),getCompilationSettings:()=>cfg.options,getDefaultLibFileName:o=>ts.getDefaultLibFilePath(o),fileExists:ts.sys.fileExists,readFile:ts.sys.readFile,realpath:ts.sys.realpath,readDirectory:ts.sys.readDirectory,directoryExists:ts.sys.directoryExists,getDirectories:ts.sys.getDirectories};
const ls=ts.createLanguageService(host); const prog=ls.getProgram();
const isT=f=>/\.test\.ts$|\/test\/|\/bench\//.test(f)||/core\/src\/testing\//.test(f);
for(const f of files){ if(isT(f)||!/packages\/.*\/src\//.test(f))continue; const sf=prog.getSourceFile(f);
 const visit=n=>{ let name;
  if((ts.isMethodDeclaration(n)||ts.isPropertyDeclaration(n)||ts.isGetAccessor(n)||ts.isPropertySignature(n)||ts.isMethodSignature(n)||ts.isParameter(n))&&n.name&&ts.isIdentifier(n.name)&&!ts.isParameter(n))name=n.name;
  if((ts.isFunctionDeclaration(n)||ts.isVariableDeclaration(n)||ts.isTypeAliasDeclaration(n)||ts.isInterfaceDeclaration(n)||ts.isClassDeclaration(n))&&n.name&&ts.isIdentifier(n.name)&&n.modifiers?.some(m=>m.kind===ts.SyntaxKind.ExportKeyword))name=n.name;
  if(name){ const refs=(ls.findReferences(f,name.getStart())??[]).flatMap(r=>r.references).filter(r=>!r.isDefinition); const prod=refs.filter(r=>!isT(r.fileName)); if(prod.length===0) console.log(path.relative('.',f)+':'+(sf.getLineAndCharacterOfPosition(name.getStart()).line+1),name.text,'tests:',refs.length)}
  ts.forEachChild(n,visit)};
 visit(sf);}
