@echo off
rem 5.XSeg Generic) data_src whole_face mask - apply (written by make_launchers.py)
call "%~dp0env.bat"
if errorlevel 1 exit /b 1
"%DFL_PYTHON_EXE%" "%DFL_ROOT%\main.py" xseg apply --input-dir "%DFL_WORKSPACE%\data_src\aligned" --model-dir "%DFL_GENERIC_XSEG%" %*
set DFL_EXIT=%errorlevel%
:end
if not defined DFL_NO_PAUSE pause
exit /b %DFL_EXIT%
